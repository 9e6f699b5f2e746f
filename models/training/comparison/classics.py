"""scikit-learn on hand-made features: support vectors, a tree, a forest. Malignant and benign weigh the same in all."""

from collections.abc import Callable

import numpy
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from skincheck_training.calibrate import logit

from .methods import Images, Method

TREES = 200


def fit_svm(images: Images, settings: dict, seed: int) -> tuple[Callable[[numpy.ndarray], numpy.ndarray], dict]:
    width = settings["width"] / images.inputs.shape[1]
    machine = SVC(C=settings["C"], gamma=width, class_weight="balanced", cache_size=1000, random_state=seed)
    fitted = make_pipeline(StandardScaler(), machine).fit(images.inputs[images.train], images.malignant[images.train])
    return fitted.decision_function, {}


def fit_tree(images: Images, settings: dict, seed: int) -> tuple[Callable[[numpy.ndarray], numpy.ndarray], dict]:
    return _fit_shares(DecisionTreeClassifier(class_weight="balanced", random_state=seed, **settings), images)


def fit_forest(images: Images, settings: dict, seed: int) -> tuple[Callable[[numpy.ndarray], numpy.ndarray], dict]:
    forest = RandomForestClassifier(TREES, class_weight="balanced", n_jobs=1, random_state=seed, **settings)
    return _fit_shares(forest, images)


def _fit_shares(classifier, images: Images) -> tuple[Callable[[numpy.ndarray], numpy.ndarray], dict]:
    """Logits of the shares of malignant weight in the leaves."""
    fitted = classifier.fit(images.inputs[images.train], images.malignant[images.train])
    return lambda inputs: logit(fitted.predict_proba(inputs)[:, 1]), {}


CODE = ("methods", "inputs", "features", "classics")
CLASSICS = (
    # width: of the kernel's gamma, in shares of 1 / number of features
    Method("svm", "SVM (RBF)", "features", {"C": (1.0, 4.0, 16.0), "width": (0.3, 1.0)}, fit_svm, CODE),
    Method("tree", "decision tree", "features",
           {"max_depth": (4, 6, 8, 12, None), "min_samples_leaf": (5, 20, 80)}, fit_tree, CODE),
    Method("forest", "random forest", "features",
           {"max_features": ("sqrt", 0.3), "min_samples_leaf": (1, 4, 16)}, fit_forest, CODE),
)
