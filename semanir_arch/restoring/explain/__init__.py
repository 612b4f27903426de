"""Where a pixel looks: the key-semantic dictionaries of a network, as numbers and as pictures.

`key_semantics` gives the numbers; `semanir-restore --explain` writes a page and a picture of them.
"""
