"""The seven diagnoses of HAM10000 (ISIC 2018 task 3), and what other tables call them."""

import numpy

DIAGNOSES = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
MALIGNANT = ("akiec", "bcc", "mel")
# Only names that stand for one of the seven; "benign", "unknown" and the like say too little.
SYNONYMS = {
    "actinic keratosis": "akiec",
    "ak": "akiec",  # of ISIC 2019, as in `skincheck evaluate`
    "basal cell carcinoma": "bcc",
    "dermatofibroma": "df",
    "lentigo": "bkl",
    "lentigo simplex": "bkl",
    "melanocytic nevus": "nv",
    "melanoma": "mel",
    "melanoma in situ": "mel",
    "nevus": "nv",
    "seborrheic keratosis": "bkl",
    "solar lentigo": "bkl",
    "solar or actinic keratosis": "akiec",
    "vascular lesion": "vasc",
}


def diagnosis_index(name: str) -> int:
    """Where the diagnosis stands in DIAGNOSES; -1 when it is none of them. "Nevus, NOS" (not otherwise specified) is a nevus."""
    plain = " ".join(name.lower().replace("_", " ").replace("naevus", "nevus").split())
    plain = plain.removesuffix(" nos").removesuffix(",")
    plain = SYNONYMS.get(plain, plain)
    return DIAGNOSES.index(plain) if plain in DIAGNOSES else -1


def agreeing(diagnosis: numpy.ndarray, malignant: numpy.ndarray) -> numpy.ndarray:
    """The indices, with -1 where the table's column malignant says the opposite: it is what scores are measured by."""
    of_diagnosis = numpy.array([name in MALIGNANT for name in DIAGNOSES])[diagnosis]
    return numpy.where(of_diagnosis == numpy.asarray(malignant, dtype=bool), diagnosis, -1)
