"""What polling is measured by: the least that Flask can do, served as our API is."""

from typing import Any

from flask import Flask, jsonify


def create_app() -> Flask:
    app = Flask("bare")

    @app.get("/bare")
    def get_bare() -> Any:
        return jsonify(status="running", pages={"total": 20, "succeeded": 7})

    return app
