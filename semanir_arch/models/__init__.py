"""BasicSR model classes: they see the whole option tree and run training steps and evaluations."""
