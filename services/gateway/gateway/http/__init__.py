"""HTTP mechanics of every route: parameters, problem details, scopes, idempotency, pagination."""
