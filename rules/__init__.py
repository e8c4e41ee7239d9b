"""The rules: named rows by family, and the engines that turn algebra into instructions."""

from oxegg.rules import algebra, comparisons, elementary, formats, integers, reductions
from oxegg.rules.pattern import Family, Rule

FAMILIES: dict[str, Family] = {
    module.FAMILY.name: module.FAMILY
    for module in (algebra, reductions, comparisons, integers, formats, elementary)
}


def all_rules() -> list[Rule]:
    return [rule for family in FAMILIES.values() for rule in family.rules]
