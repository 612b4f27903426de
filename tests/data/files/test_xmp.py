"""XMP speaks only of what the new picture has."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from PIL.PngImagePlugin import PngInfo

from semanir_arch.data.files.image_encoding import encode_image
from semanir_arch.data.files.image_io import decode_image
from semanir_arch.data.files.xmp import current_xmp
from tests.data.files.made import saved
from tests.each import each

SPACES = {
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "hdrgm": "http://ns.adobe.com/hdr-gain-map/1.0/",
    "HDRGainMap": "http://ns.apple.com/HDRGainMap/1.0/",
    "GCamera": "http://ns.google.com/photos/1.0/camera/",
    "Container": "http://ns.google.com/photos/1.0/container/",
    "Item": "http://ns.google.com/photos/1.0/container/item/",
    "GDepth": "http://ns.google.com/photos/1.0/depthmap/",
    "GPano": "http://ns.google.com/photos/1.0/panorama/",
    "xmpNote": "http://ns.adobe.com/xmp/note/",
    "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/",
    "stDim": "http://ns.adobe.com/xap/1.0/sType/Dimensions#",
}
KEPT = 'xmp:Rating="4"'
TITLE = (
    "<dc:title><rdf:Alt><rdf:li xml:lang='de'>K\u00e4se &amp; Brot</rdf:li></rdf:Alt></dc:title>"
)


def packet(attributes, inside=""):
    spaces = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in SPACES.items())
    rdf = ' xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
    return (
        f'<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta '
        f'xmlns:x="adobe:ns:meta/"><rdf:RDF{rdf}><rdf:Description rdf:about=""{spaces} {KEPT} '
        f"{attributes}>{TITLE}{inside}</rdf:Description></rdf:RDF></x:xmpmeta>"
        '<?xpacket end="w"?>'
    ).encode()


GONE = [
    ('hdrgm:Version="1.0"', "", "a gain map that it holds is left out"),
    ("", "<HDRGainMap:HDRGainMapVersion>1</HDRGainMap:HDRGainMapVersion>", "a gain map"),
    ('GCamera:MotionPhoto="1" GCamera:MotionPhotoVersion="1"', "", "a short film"),
    ('GCamera:MicroVideo="1" GCamera:MicroVideoOffset="99"', "", "a short film"),
    (
        "",
        "<Container:Directory><rdf:Seq><rdf:li rdf:parseType='Resource'><Container:Item "
        "Item:Mime='image/jpeg' Item:Semantic='GainMap'/></rdf:li></rdf:Seq></Container:Directory>",
        None,
    ),
    ('GDepth:Format="RangeInverse"', "<GDepth:Data>AAAA</GDepth:Data>", "a depth map"),
    ('GPano:FullPanoWidthPixels="4000"', "", "panorama"),
    ('tiff:ImageWidth="4000" tiff:ImageLength="3000" exif:PixelXDimension="4000"', "", None),
    ("", "<exif:PixelYDimension>3000</exif:PixelYDimension>", None),
    ("", "<tiff:BitsPerSample><rdf:Seq><rdf:li>8</rdf:li></rdf:Seq></tiff:BitsPerSample>", None),
    ('xmpNote:HasExtendedXMP="0123456789ABCDEF0123456789ABCDEF"', "", None),
    ("", "<xmp:Thumbnails><rdf:Alt/></xmp:Thumbnails>", None),
]


@each("attributes, inside, note", GONE)
def test_what_is_gone_is_not_spoken_of_and_the_rest_is_kept(attributes, inside, note):
    result, notes = current_xmp(packet(attributes, inside), turned=False)
    assert [note in said for said in notes] == [True] * (note is not None)
    text = ET.canonicalize(result.decode())
    expected = ET.canonicalize(packet("").decode())
    for name in (part.partition("=")[0] for part in attributes.split()):
        assert name not in text
    assert "4000" not in text
    assert {element.tag for element in ET.fromstring(text).iter()} == {
        element.tag for element in ET.fromstring(expected).iter()
    }
    description = ET.fromstring(text)[0][0]
    assert description.attrib[f"{{{SPACES['xmp']}}}Rating"] == "4"
    assert "K\u00e4se & Brot" in "".join(description.itertext())
    assert result.startswith(b"<?xpacket begin=")


def test_what_is_true_stays_byte_for_byte():
    own = packet('exif:FNumber="28/10" tiff:Orientation="1"')
    assert current_xmp(own, turned=False) == (own, ())
    assert current_xmp(packet('tiff:Orientation="6"'), turned=True)[0] == packet(
        'tiff:Orientation="1"'
    )
    inside = "<tiff:Orientation>8</tiff:Orientation>"
    assert b"<tiff:Orientation>1<" in current_xmp(packet("", inside), turned=True)[0]


def test_places_in_a_picture_that_is_turned_go():
    regions = (
        "<mwg-rs:Regions rdf:parseType='Resource'><mwg-rs:AppliedToDimensions stDim:w='40'/>"
        "<mwg-rs:RegionList/></mwg-rs:Regions>"
    )
    upright, _ = current_xmp(packet("", regions), turned=False)
    assert b"RegionList" in upright
    assert b"AppliedToDimensions" not in upright
    assert b"RegionList" not in current_xmp(packet("", regions), turned=True)[0]


@pytest.mark.parametrize(
    "data",
    [
        b"<x",
        b"<a xmlns:b='u'>" + b"<b:c>" * 200_000,
        b"<!DOCTYPE a [<!ENTITY b 'cc'>]><a>&b;</a>",
        b"<a>" + bytes(2**24) + b"</a>",
        b"<?xml version='1.0' encoding='no-such'?><a/>",
        b"\xff\xfe<\0a\0",
    ],
)
def test_damaged_and_hostile_packets_are_left_out_and_noted(data):
    assert current_xmp(data, turned=False) == (None, ("its XMP data are damaged and left out",))


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_no_format_passes_it_on(file_format):
    xmp = packet('hdrgm:Version="1.0" tiff:ImageWidth="4000"')
    if file_format == "PNG":
        info = PngInfo()
        info.add_itxt("XML:com.adobe.xmp", xmp.decode())
        data = saved("PNG", pnginfo=info)
    elif file_format == "TIFF":
        data = saved("TIFF", tiffinfo={700: xmp})
    else:
        data = saved(file_format, xmp=xmp)
    image = decode_image(data, "image")
    assert "a gain map that it holds is left out" in image.notes
    for suffix in (".png", ".jpg", ".tif", ".webp"):
        written = encode_image(image.pixels, Path(f"a{suffix}"), metadata=image.metadata)
        again = decode_image(written, "a").metadata.xmp
        assert b"xmp:Rating" in again
        assert b"hdrgm:" not in again
        assert b"4000" not in again
