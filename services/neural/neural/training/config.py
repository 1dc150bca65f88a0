"""Parameters of the neural model's training."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from marquee.scoring.evidence_weights import EvidenceWeights, OrderLikelihood
from marquee.scoring.scorers.recent_trend import TREND
from marquee.training.blending import BlendConfig
from marquee.training.scorers.als import AlsConfig
from marquee.training.scorers.autoencoder import AutoencoderConfig
from marquee.training.scorers.linear_autoencoder import LinearAutoencoderConfig


class NetworkConfig(BaseModel):
    """Sizes of the RatingPredictor, and how it is trained."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    d: int = Field(32, ge=1)
    """Length of a user's and of a movie's vector."""
    hidden: int = Field(64, ge=1)
    """Width of the hidden layers."""
    dropout: float = Field(0.2, ge=0, lt=1)
    epochs: int = Field(20, ge=1)
    max_steps: int = Field(1000, ge=1)
    """Steps after which no further epoch begins: many users need fewer epochs."""
    patience: int = Field(12, ge=1)
    """Epochs without a better one after which training ends."""
    users_per_batch: int = Field(64, ge=1)
    learning_rate: float = Field(3e-3, gt=0)
    decay: float = Field(0.05, ge=0)
    """Weight decay of the layers."""
    embedding_pull: float = Field(2400.0, ge=0)
    """Weight decay of the embeddings, times the steps of a training: more steps pull less each."""
    short_rows: float = Field(0.5, ge=0, le=1)
    """Share of users that a step takes once more, with few ratings, as if they were new."""
    cold_movies: float = Field(0.4, ge=0, le=1)
    """Share of targets that a step predicts once more, as if their movie was new."""
    unknown_movies: float = Field(0.1, ge=0, le=1)
    """Share of targets whose movie's own embedding is off."""
    confidence_share: float = Field(0.05, ge=0, lt=1)
    """Share of users, and of movies, that are not trained on: the confidence is fitted on them."""
    networks: int = Field(2, ge=1)
    """Further networks that learn from the ratings held out as well; the mean of theirs serves."""
    max_ratings_again: int = Field(25_000_000, ge=0)
    """Ratings that their epochs may go through in all; with more, the first network serves."""
    apart: int = Field(50_000, ge=0)
    """Ratings from which on these are trained side by side: a process takes seconds to start."""
    max_users: int = Field(12_000, ge=1)
    """Users drawn to train on where there are more; statistics of movies are of all ratings."""

    def epochs_of(self, users: int) -> int:
        """Return the most epochs of a training on so many users: with many, fewer epochs do."""
        batches = -(-users // self.users_per_batch)
        return min(self.epochs, -(-self.max_steps // max(1, batches)))

    def is_trained_again(self, users: int, ratings: int) -> bool:
        """Return whether further networks learn from all ratings, by what that costs."""
        cost = self.networks * self.epochs_of(users) * ratings
        return users <= self.max_users and cost <= self.max_ratings_again


class NeuralConfig(BlendConfig):
    """Parameters of the neural model; `without` leaves out signals of its blend."""

    signals: ClassVar[tuple[str, ...]] = (
        "preference",
        "first",
        "als",
        "items",
        "content",
        "popularity",
        "trend",
        "rating",
    )

    network: NetworkConfig = NetworkConfig()
    autoencoder: AutoencoderConfig = AutoencoderConfig(long_share=0.8)
    first_autoencoder: AutoencoderConfig = AutoencoderConfig(time_share=1.0)
    """Learns what is liked after the first ratings in time; the other, after random ones."""
    factors: AlsConfig = AlsConfig()
    many: LinearAutoencoderConfig = LinearAutoencoderConfig(n=10_000, penalty=3.0)
    """Item weights of long histories. n is beyond half of any history, as half of it is shown."""
    content: int = Field(128, ge=1)
    """Numbers that a movie's raw vector is reduced to."""
    embedding: int = Field(48, ge=1)
    """Dimensions of the code of a movie's content, by which movies are alike."""
    movie_clusters: int = Field(32, ge=1)
    user_clusters: int | None = Field(None, ge=1)
    min_ratings: int = Field(3, ge=1)
    """A movie with fewer ratings gets the autoencoder's output predicted from its content."""
    cold_penalty: float = Field(30.0, gt=0)
    """Ridge penalty of the prediction from content."""
    cold_share: float = Field(0.4, ge=0, le=1)
    """Share of movies that would reach the users with the highest scores if they were new."""
    validation_share: float = Field(0.1, ge=0, lt=1)
    long_history: int = Field(20, ge=2)
    """Least ratings of the users that this model serves."""
    max_cases: int = Field(1500, ge=1)
    """Most fold-ins, drawn at random, on which the blend is learned."""
    candidates: int = Field(1500, ge=1)
    """The most popular movies: those that weights are learned on."""
    sizes: tuple[int, ...] = (20, 50)
    """Ratings known in the fold-ins of the validation, besides four fifths of a history."""
    weights: dict[str, float] = Field(
        {
            "preference": 0.7,
            "first": 0.0,
            "als": 1.8,
            "items": 5.0,
            "content": 0.3,
            "popularity": -0.3,
            TREND: 0.25,
        }
    )
    """Default weights; validation moves them where that gains beyond noise."""
    weights_in_time: dict[str, float] = Field(
        {
            "preference": 0.0,
            "first": 0.8,
            "als": 1.7,
            "items": 0.0,
            "content": 0.3,
            "popularity": 0.0,
            TREND: 0.25,
        }
    )
    """The same for the first ratings of a user in time."""
    rating_weights: tuple[float, ...] = (0.0, 0.02, 0.05, 0.1)
    """Weights, in standard deviations of a list's scores, that the predicted rating may have."""

    def initial_weights(self, order: OrderLikelihood) -> EvidenceWeights:
        """Return the weights before validation."""
        return EvidenceWeights(
            {1: self.used(self.weights)}, {1: self.used(self.weights_in_time)}, order
        )
