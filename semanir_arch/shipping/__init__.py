"""Train, choose and score the networks that the package ships."""
