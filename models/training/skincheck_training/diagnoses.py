"""The seven diagnoses of HAM10000 (ISIC 2018 task 3), and what other tables call them."""

DIAGNOSES = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
# Only names that stand for one of the seven; "benign", "unknown" and the like say too little.
SYNONYMS = {
    "actinic keratosis": "akiec",
    "basal cell carcinoma": "bcc",
    "dermatofibroma": "df",
    "lentigo nos": "bkl",
    "lentigo simplex": "bkl",
    "melanoma": "mel",
    "nevus": "nv",
    "seborrheic keratosis": "bkl",
    "solar lentigo": "bkl",
    "vascular lesion": "vasc",
}


def diagnosis_index(name: str) -> int:
    """Where the diagnosis stands in DIAGNOSES; -1 when it is none of them."""
    plain = name.strip().lower().replace("_", " ")
    plain = SYNONYMS.get(plain, plain)
    return DIAGNOSES.index(plain) if plain in DIAGNOSES else -1
