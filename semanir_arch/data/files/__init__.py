"""Image files: opened within bounds, decoded in the depth they have, with what they say of colors.

`semanir_arch.data.files.image_io` is the way to use them.
"""
