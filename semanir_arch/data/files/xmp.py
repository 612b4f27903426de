"""XMP without what it says of things that a new version of the picture does not have.

Phones describe in XMP what else lies in a file: a gain map, a film, a depth map. Programs note
there the size, the layout and the orientation of the old picture, and a small copy of it. All that
goes; the rest is kept, byte for byte where nothing has to go.
"""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

from semanir_arch.utils.errors import InputError

__all__ = ["current_xmp"]

_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_TIFF, _EXIF = "{http://ns.adobe.com/tiff/1.0/}", "{http://ns.adobe.com/exif/1.0/}"
_XMP = "{http://ns.adobe.com/xap/1.0/}"
_REGIONS = "{http://www.metadataworkinggroup.com/schemas/regions/}"

_GONE_SPACES = {
    "http://ns.adobe.com/hdr-gain-map/": "a gain map",
    "http://ns.apple.com/HDRGainMap/": "a gain map",
    "http://ns.apple.com/pixeldatainfo/": "a gain map",
    "http://ns.apple.com/depthData/": "a depth map",
    "http://ns.apple.com/PortraitEffects": "a depth map",
    "http://ns.apple.com/SemanticSegmentationMatte": "a depth map",
    "http://ns.google.com/photos/1.0/depthmap/": "a depth map",
    "http://ns.google.com/photos/1.0/focus/": "a depth map",
    "http://ns.google.com/photos/1.0/image/": "a second picture",
    "http://ns.google.com/photos/1.0/audio/": "a sound",
    "http://ns.google.com/photos/1.0/panorama/": "the place of the picture in a panorama",
    "http://ns.google.com/photos/dd/": "a depth map",
    "http://ns.google.com/photos/1.0/container/": "",
    "http://ns.google.com/photos/1.0/camera/": "",
    "http://ns.adobe.com/xmp/note/": "",
}
"""Beginnings of the names of whole schemas, with what they speak of."""

_FILM = re.compile(r"\{http://ns\.google\.com/photos/1\.0/camera/\}(MotionPhoto|MicroVideo)$")

_GONE_NAMES = {
    *(_TIFF + name for name in (
        "ImageWidth", "ImageLength", "BitsPerSample", "Compression", "SamplesPerPixel",
        "PhotometricInterpretation", "PlanarConfiguration", "YCbCrSubSampling",
        "YCbCrPositioning", "YCbCrCoefficients", "TransferFunction", "WhitePoint",
        "PrimaryChromaticities", "ReferenceBlackWhite", "NativeDigest",
    )),
    *(_EXIF + name for name in (
        "PixelXDimension", "PixelYDimension", "CompressedBitsPerPixel", "ComponentsConfiguration",
        "SubjectArea", "SubjectLocation", "NativeDigest",
    )),
    _XMP + "Thumbnails",
    _REGIONS + "AppliedToDimensions",
}  # fmt: skip
"""Single properties; of them no note is made, since the new file says the same of itself."""

_GONE_WHEN_TURNED = (
    _REGIONS + "Regions",
    "{http://ns.microsoft.com/photo/1.2/}RegionInfo",
)

_ORIENTATION = _TIFF + "Orientation"
_ORIENTED = re.compile(rb"(tiff:Orientation(?:=[\"']|>))[2-8]")
_LARGEST = 2**24
_DEEPEST = 100

_Gone = dict[str, None]


def current_xmp(packet: bytes | str, *, turned: bool) -> tuple[bytes | None, tuple[str, ...]]:
    """Take out of an XMP packet what will not be true of the new picture.

    Args:
        packet: Packet as the file holds it.
        turned: Whether the picture is turned upright, so that places in it mean others.

    Returns:
        The packet, None where nothing is left or it cannot be read; and notes.
    """
    data = packet.encode() if isinstance(packet, str) else packet
    data = _ORIENTED.sub(rb"\g<1>1", data.strip(b"\0"))
    if not data.strip():
        return None, ()
    try:
        root, spaces = _parse(data)
        gone: _Gone = {}
        changed = _prune(root, turned, gone)
    except (ET.ParseError, ValueError, LookupError, RecursionError):
        return None, ("its XMP data are damaged and left out",)
    if changed:
        data = _written(root, spaces)
    things = [thing for thing in gone if thing]
    return data, tuple(f"{thing} that it holds is left out" for thing in things)


def _parse(data: bytes) -> tuple[ET.Element, dict[str, str]]:
    if len(data) > _LARGEST or b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise InputError("no XMP")
    spaces: dict[str, str] = {}
    depth = 0
    events = ET.iterparse(io.BytesIO(data), events=("start-ns", "start", "end"))
    root: ET.Element | None = None
    for event, item in events:
        if event == "start-ns":
            prefix, uri = item
            spaces.setdefault(uri, prefix)
        elif event == "start":
            root = item if root is None else root
            depth += 1
            if depth > _DEEPEST:
                raise InputError("too deep")
        else:
            depth -= 1
    if root is None:
        raise InputError("no element")
    return root, spaces


def _is_gone(name: str, turned: bool, gone: _Gone) -> bool:
    """Whether a property goes; what whole schemas speak of is collected."""
    if _FILM.match(name):
        gone["a short film"] = None
        return True
    for space, thing in _GONE_SPACES.items():
        if name.startswith(f"{{{space}"):
            gone[thing] = None
            return True
    return name in _GONE_NAMES or (turned and name in _GONE_WHEN_TURNED)


def _prune(element: ET.Element, turned: bool, gone: _Gone) -> bool:
    """Remove from an element and all below it what goes; whether anything changed."""
    changed = False
    for name in list(element.attrib):
        if _is_gone(name, turned, gone):
            del element.attrib[name]
            changed = True
        elif name == _ORIENTATION and element.attrib[name] != "1":
            element.attrib[name] = "1"
            changed = True
    for child in list(element):
        if _is_gone(child.tag, turned, gone):
            element.remove(child)
            changed = True
        elif child.tag == _ORIENTATION and child.text != "1":
            child.text = "1"
            changed = True
        else:
            changed |= _prune(child, turned, gone)
    return changed


def _written(root: ET.Element, spaces: dict[str, str]) -> bytes:
    """The packet with the prefixes that it had."""
    used = {name[1:].partition("}")[0] for name in _names(root) if name.startswith("{")}
    prefixes = {uri: spaces.get(uri) or f"ns{i}" for i, uri in enumerate(sorted(used))}
    if len(set(prefixes.values())) < len(prefixes):
        # one prefix stood for several schemas
        prefixes = {uri: f"ns{i}" for i, uri in enumerate(sorted(used))}
    xml_space = "http://www.w3.org/XML/1998/namespace"
    prefixes |= {xml_space: "xml"} if xml_space in used else {}

    def short(name: str) -> str:
        uri, _, local = name[1:].partition("}")
        return f"{prefixes[uri]}:{local}" if name.startswith("{") else name

    for element in root.iter():
        element.tag = short(element.tag)
        attributes = {short(name): value for name, value in element.attrib.items()}
        element.attrib.clear()
        element.attrib.update(attributes)
    for uri, prefix in prefixes.items():
        if prefix != "xml":
            root.set(f"xmlns:{prefix}", uri)
    body = ET.tostring(root, encoding="utf-8")
    if body.startswith(b"<?xml"):
        body = body.partition(b"?>")[2].lstrip()
    begin = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'.encode()
    return begin + body + b'\n<?xpacket end="w"?>'


def _names(root: ET.Element) -> Iterator[str]:
    for element in root.iter():
        yield element.tag
        yield from element.attrib
