"""Configurations with which models fit a few users within a moment, and weights to try on them."""

from collections.abc import Mapping
from pathlib import Path

from marquee.scoring.evidence_weights import EvidenceWeights, Weights
from marquee.training.scorers.als import AlsConfig
from marquee.training.scorers.autoencoder import AutoencoderConfig
from marquee.training.scorers.linear_autoencoder import LinearAutoencoderConfig
from marquee.training.scorers.preference import PreferenceConfig

QUICK_PARAMS = Path(__file__).with_name("quick_params.yaml")
"""Parameters for trainings by the app and the command (`MARQUEE_PARAMS`), done within seconds."""

SMALL_TASTE = PreferenceConfig(
    autoencoder=AutoencoderConfig(
        width=8, epochs=60, batch_size=16, dropout=0.1, seen_share=0.3, condensed=4
    ),
    first=AutoencoderConfig(width=8, epochs=30, batch_size=16, time_share=1.0, condensed=4),
    factors=AlsConfig(factors=4, iterations=5, regularization=1.0),
    regularizations=(),
    few_ratings=LinearAutoencoderConfig(head=20, kept=20, penalty=0.3),
    others=(LinearAutoencoderConfig(head=20, kept=20),),
    sizes=(1, 3),
)


def with_weight(weights: EvidenceWeights, signal: str, weight: float) -> EvidenceWeights:
    """Return weights with one for a signal, at any evidence."""

    def changed(by_number: Mapping[int, Weights]) -> dict[int, Weights]:
        return {n: {**of, signal: weight} for n, of in by_number.items()}

    return EvidenceWeights(changed(weights.at_random), changed(weights.in_time), weights.order)
