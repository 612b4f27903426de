"""Functions on tensors: the definition of each operator, its fast versions, and the choice between them."""

from .attention import key_semantic_attention
from .dictionary import KeySemanticDictionary, key_semantic_dictionary

__all__ = ["KeySemanticDictionary", "key_semantic_attention", "key_semantic_dictionary"]
