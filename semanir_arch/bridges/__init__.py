"""To and from other programs: networks of others, weights of every origin, the Hugging Face hub.

Nothing here is imported before it is needed: spandrel, huggingface_hub, pyiqa and BasicSR may all
be absent. docs/bridges.md shows what each of them is for.
"""
