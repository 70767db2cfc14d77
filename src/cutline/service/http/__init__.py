"""HTTP below the routes: guard, bodies, forms, errors as responses, pages and the OpenAPI document."""
