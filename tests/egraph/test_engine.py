"""The adapter to egglog. It is loaded only in forked children: 13.2 hangs in a fork of its own."""

from collections.abc import Callable
from typing import Any

import pytest

from oxegg.egraph.child import run_in_child
from oxegg.egraph.engine import Engine, split_forms
from oxegg.errors import RuleError

Send = Callable[[Any], None]

SUMS = """
(datatype E (Num i64) (Name String) (Add E E))
(function weight (E) i64 :merge (min old new))
(ruleset swap)
(rule ((= e (Add a b))) ((union e (Add b a))) :ruleset swap :name "commute")
"""


def child(job: Callable[[Send], None]) -> Any:
    result, status = run_in_child(job, seconds=20, memory_mb=1000)
    assert status == "finished"
    return result


def test_split_forms_ignores_parentheses_in_strings_and_comments() -> None:
    text = '(a (b ")") "(") ; a ) comment ( "\n  (c)\n; (d)\n(e ; )\n f)'
    assert list(split_forms(text)) == ['(a (b ")") "(")', "(c)", "(e ; )\n f)"]


def test_split_forms_of_nothing() -> None:
    assert list(split_forms(" ; (only a comment)\n")) == []


def _steps(send: Send) -> None:
    engine = Engine()
    engine.run(SUMS + "(Add (Num 1) (Num 2))")
    first = engine.step("swap")
    second = engine.step("swap")
    third = engine.step("swap")
    send((first, second, third, engine.sizes()))


def test_step_reports_change_and_matches() -> None:
    first, second, third, sizes = child(_steps)
    assert first == (True, {"commute": 1})
    assert not third[0]
    assert second[1].get("commute", 0) <= 2
    assert (sizes["Add"], sizes["Num"]) == (2, 2)


def _saturated(send: Send) -> None:
    engine = Engine()
    engine.run(SUMS + "(let big (Add (Num 1) (Add (Num 2) (Add (Num 3) (Num 4)))))")
    engine.saturate("swap")
    send((engine.sizes()["Add"], engine.step("swap")[0]))


def test_saturate_runs_to_the_fixpoint() -> None:
    assert child(_saturated) == (6, False)


def _tables(send: Send) -> None:
    engine = Engine()
    engine.run(SUMS + '(set (weight (Add (Num -7) (Name "x y"))) 5)')
    engine.run('(set (weight (Add (Num -7) (Name "x y"))) 3)')
    engine.saturate("swap")
    send(engine.tables(["Num", "Name", "Add", "weight"]))


def test_tables_decode_primitives_and_number_classes_densely() -> None:
    tables = child(_tables)
    ((number, num),) = tables["Num"].rows
    ((name, named),) = tables["Name"].rows
    assert (number, name) == (-7, "x y")
    assert tables["Num"].sorts == ("i64", "E")
    ((weighed, weight),) = tables["weight"].rows
    assert weight == 3
    assert sorted(tables["Add"].rows) == sorted([(num, named, weighed), (named, num, weighed)])
    assert {num, named, weighed} == {0, 1, 2}


def _outputs(send: Send) -> None:
    engine = Engine()
    engine.run(SUMS)
    before = engine.sizes()["Num"]
    engine.run("(Num 1)")
    engine.run("(Num 1) (Num 2)")
    send((before, engine.sizes()["Num"]))


def test_equal_terms_are_one_row() -> None:
    assert child(_outputs) == (0, 2)


def _bad(text: str) -> Callable[[Send], None]:
    def job(send: Send) -> None:
        Engine().run(SUMS + text)
        send("no error")

    return job


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(Mul (Num 1) (Num 2))", "Mul"),
        ('(Add (Num "one") (Num 2))', "String"),
        ("(ruleset swap)", "swap"),
        ("(rule ((= e (Num x))) ((union e y)))", "y"),
    ],
)
def test_bad_text_is_a_rule_error_with_egglogs_message(text: str, message: str) -> None:
    with pytest.raises(RuleError, match=r"(?s)egglog refuses: .*\n    in \(") as caught:
        child(_bad(text))
    assert message in str(caught.value)
    assert text in str(caught.value)


def _survives(send: Send) -> None:
    engine = Engine()
    engine.run(SUMS)
    try:
        engine.run("(Num 1) (Unknown) (Num 2)")
    except RuleError:
        engine.run("(Num 3)")
    send(sorted(row[0] for row in engine.tables(["Num"])["Num"].rows))


def test_an_error_stops_the_text_and_leaves_the_engine_usable() -> None:
    assert child(_survives) == [1, 3]
