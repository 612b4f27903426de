"""What every page of one file shares: its template, and a policy that keeps it to itself."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources

import jinja2

__all__ = ["content_policy", "load_template", "read_page_file"]


def read_page_file(package: str, name: str) -> str:
    """A template, style or script from the folder `page_files` of a package."""
    return (resources.files(package) / "page_files" / name).read_text(encoding="utf-8")


def load_template(package: str, name: str) -> jinja2.Template:
    """A template that escapes every value and refuses names without one.

    Args:
        package: Package that holds the template in its folder `page_files`; what it includes is
            there or here.
        name: Name of the file.
    """
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [jinja2.PackageLoader(name, "page_files") for name in (package, __package__)]
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def content_policy(styles: str, scripts: str) -> str:
    """Content security policy: one style, one script, images from within the page, nothing else.

    Args:
        styles: Content of the style element, character by character.
        scripts: Content of the script element.
    """

    def fingerprint(text: str) -> str:
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    return (
        "default-src 'none'; img-src data:; "
        f"style-src 'sha256-{fingerprint(styles)}'; script-src 'sha256-{fingerprint(scripts)}'"
    )
