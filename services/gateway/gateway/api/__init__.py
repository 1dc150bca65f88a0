"""The public HTTP API: routes by resource, request and response models, presenters."""
