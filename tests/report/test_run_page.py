from __future__ import annotations

import re

from semanir_arch.report.page import Page, PagePicture, write_page
from semanir_arch.report.run_page import with_gains
from semanir_arch.report.table import Table

HEADER = ["image", "PSNR in", "PSNR out", "LPIPS in", "LPIPS out", "NIQE out"]


def test_a_table_of_means_gets_the_gain_of_each_pair():
    means = ["mean", "20.17", "30.35", "0.4000", "0.3900", "5.0000"]
    table = with_gains(Table("A", HEADER, [], means, []))
    got = dict(zip(table.header, table.mean, strict=True))
    assert (got["PSNR gain"], got["LPIPS change"]) == ("+10.18", "\N{MINUS SIGN}0.0100")
    assert len(got) == len(HEADER) + 2
    broken = with_gains(Table("A", HEADER[:3], [], ["mean", "inf", "inf"], []))
    assert broken.mean[-1] == "\N{EN DASH}"


def test_gains_are_marked_by_what_is_better_and_results_come_first(tmp_path):
    table = with_gains(Table("A", HEADER[:5], [], ["mean", "20.17", "19.17", "0.4", "0.3"], []))
    pictures = [
        PagePicture("better", scores_in={"psnr": 20.0}, scores_out={"psnr": 21.0}),
        PagePicture("same", scores_in={"psnr": 20.0}, scores_out={"psnr": 20.0}),
        PagePicture("worse", scores_in={"psnr": 20.0}, scores_out={"psnr": 19.0}),
    ]
    page = Page("run", {"command": "test"}, [table], pictures, machine={"device": "a GPU"})
    write_page(tmp_path / "page.html", page)
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    marked = re.findall(r"<td[^>]*? class=(better|worse)>([^<]*)", html)
    minus = "\N{MINUS SIGN}"
    assert marked == [
        ("worse", f"{minus}1.00"),
        ("better", f"{minus}0.1"),
        ("better", "+1.00"),
        ("worse", f"{minus}1.00"),
    ]
    places = [html.index(text) for text in ('id="tables"', 'id="summary"', 'id="images"')]
    assert places == sorted(places)
    before = html[: html.index("a GPU")]
    assert before.count("<details>") == before.count("</details>") + 1, "not folded away"
