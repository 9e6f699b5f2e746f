"""Quick checks of ablate and leave_one_source_out: their tables. try_recipe runs them whole."""

import importlib.machinery
import importlib.util
import pathlib
import sys
import unittest

RECIPE = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(RECIPE))


def script(name: str):
    loader = importlib.machinery.SourceFileLoader(name, str(RECIPE / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    sys.modules[name] = module  # dataclasses look their module up
    loader.exec_module(module)
    return module


class Ablation(unittest.TestCase):
    @staticmethod
    def outcome(variant: str, seed: int, val: float, unseen: float) -> dict:
        return {"variant": variant, "title": variant.title(), "seed": seed,
                "auc": {"val": {"x": val, "all": val}, "unseen": {"y": unseen}}}

    def test_differences_are_to_the_recipe_with_the_same_seed(self):
        found = [self.outcome("recipe", 1, 0.80, 0.70), self.outcome("dehair", 1, 0.81, 0.68),
                 self.outcome("recipe", 2, 0.90, 0.74), self.outcome("dehair", 2, 0.93, 0.70)]
        lines = script("ablate").markdown(found).splitlines()
        self.assertEqual(lines[2], "| Recipe | 2 | 0.850 ± 0.050 |  | 0.720 ± 0.020 |  |")
        self.assertEqual(lines[3], "| Dehair | 2 | 0.870 ± 0.060 | +0.020 | 0.690 ± 0.010 | -0.030 |")

    def test_one_seed_has_no_spread(self):
        lines = script("ablate").markdown([self.outcome("recipe", 1, 0.8, 0.7)]).splitlines()
        self.assertEqual(lines[2], "| Recipe | 1 | 0.800 |  | 0.700 |  |")


class LeavingOneSourceOut(unittest.TestCase):
    def test_a_row(self):
        figures = {name: {"value": 0.9, "low": 0.8, "high": 0.95} for name in ("roc_auc", "sensitivity", "specificity")}
        lines = script("leave_one_source_out").markdown([("x", 1234, 56, figures, 0.91)]).splitlines()
        self.assertEqual(lines[2], "| x | 1,234 | 56 | 0.900 (0.800 to 0.950) | 0.900 | 0.900 | 0.910 |")


if __name__ == "__main__":
    unittest.main()
