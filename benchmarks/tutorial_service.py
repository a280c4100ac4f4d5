"""The service a tutorial would write around the same trees: FastAPI, pydantic, a pandas frame.

It gives a probability and nothing else: no policy, no reasons, no record.

    MODEL=model.txt uvicorn --app-dir benchmarks tutorial_service:app
"""

import os

import lightgbm as lgb
import pandas as pd
from fastapi import FastAPI
from pydantic import BaseModel

booster = lgb.Booster(model_file=os.environ["MODEL"])
names = booster.feature_name()
app = FastAPI()


class Applicant(BaseModel):
    """Feature values by name."""

    features: dict[str, float]


@app.post("/predict")
def predict(applicant: Applicant) -> dict[str, float]:
    """Probability of default."""
    frame = pd.DataFrame([applicant.features])[names]
    return {"probability": float(booster.predict(frame, num_threads=1)[0])}
