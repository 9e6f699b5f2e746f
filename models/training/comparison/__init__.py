"""The paper's comparison of classifiers; see ../compare_classifiers."""
