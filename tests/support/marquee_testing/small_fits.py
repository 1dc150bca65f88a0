"""Settings with which models fit data of a few users in a moment."""

from marquee.training.als import FactorsConfig
from marquee.training.autoencoder import AutoencoderConfig
from marquee.training.linear_autoencoder import FewRatingsConfig
from marquee.training.preference import TasteConfig

SMALL_TASTE = TasteConfig(
    autoencoder=AutoencoderConfig(
        width=8, epochs=60, batch_size=16, dropout=0.1, seen_share=0.3, condensed=4
    ),
    factors=FactorsConfig(factors=4, iterations=5, regularization=1.0),
    regularizations=(),
    few_ratings=FewRatingsConfig(head=20, kept=20, penalty=0.3),
    others=(FewRatingsConfig(head=20, kept=20),),
    sizes=(1, 3),
)
