from __future__ import annotations

from semanir_arch.restoring.serve.upload import clean_name
from tests.each import each


@each(
    "name, clean",
    [
        ("photo.png", "photo.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\pictures\\cat.jpg", "cat.jpg"),
        ("a\r\nSet-Cookie: b.png", "aSet-Cookie: b.png"),
        ("Käse.tif", "Käse.tif"),
        (".hidden.png", "hidden.png"),
        ("", "photo"),
        ("../..", "photo"),
        ("x" * 300 + ".jpeg", "x" * 115 + ".jpeg"),
        ("x" * 300, "x" * 120),
    ],
)
def test_names_lose_folders_and_control_characters(name, clean):
    assert clean_name(name) == clean
