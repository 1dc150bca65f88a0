"""Preference scorers: fitted once a training, served as fitted, the same for a seed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from content.fit import ContentConfig
from content.fit import fit as fit_content
from hybrid.fit import HybridConfig
from hybrid.fit import fit as fit_hybrid
from marquee.domain.movies import Movie
from marquee.domain.recommendation import UserHistory
from marquee.features.interactions import RatingRows
from marquee.scoring.scorers.preference import (
    NoImputation,
    PreferenceScorers,
    log_share,
    popularity_penalty,
)
from marquee.training.scorers.autoencoder import AutoencoderConfig, encode, fit_over_movies
from marquee.training.scorers.preference import FittedPreference, fit_preference
from marquee_testing import checkerboard
from marquee_testing.small_fits import SMALL_TASTE
from user_model.fit import UserModelConfig
from user_model.fit import fit as fit_user_model

DATA = checkerboard()
ROWS = RatingRows.of(DATA)
N_MOVIES = len(DATA.movies)
LIKED = np.array([0, 2, 4])
STARS = np.array([9, 10, 9], np.uint8)


@pytest.fixture(scope="module")
def fitted() -> FittedPreference:
    return fit_preference(ROWS, N_MOVIES, SMALL_TASTE, 0)


def test_models_of_one_training_share_one_fit(fitted: FittedPreference) -> None:
    content = fit_content(DATA, ContentConfig(taste=SMALL_TASTE), 0)
    hybrid = fit_hybrid(DATA, HybridConfig(taste=SMALL_TASTE), 0)
    user_model = fit_user_model(DATA, UserModelConfig(taste=SMALL_TASTE, segments=None), 0)
    assert content.preference is user_model.preference is fitted.scorers
    assert hybrid.preference.autoencoder is fitted.scorers.autoencoder


def test_other_ratings_or_another_seed_are_fitted_again(fitted: FittedPreference) -> None:
    flipped = replace(ROWS, half_stars=ROWS.half_stars[::-1].copy())
    assert fit_preference(flipped, N_MOVIES, SMALL_TASTE, 0).scorers is not fitted.scorers
    other = fit_preference(ROWS, N_MOVIES, SMALL_TASTE, 1)
    assert not np.array_equal(other.scorers.rows(), fitted.scorers.rows())


def test_a_seed_gives_the_same_scorers_when_fitted_again(fitted: FittedPreference) -> None:
    for seed in (1, 2, 3):  # pushes the first fit out of the cache
        fit_preference(ROWS, N_MOVIES, SMALL_TASTE, seed)
    again = fit_preference(ROWS, N_MOVIES, SMALL_TASTE, 0)
    assert again is not fitted
    assert np.array_equal(again.scorers.rows(), fitted.scorers.rows())


def test_the_trial_scorers_know_no_user_held_out(fitted: FittedPreference) -> None:
    assert fitted.trial is not None
    rows = ROWS.of_users(fitted.train_users)
    sums, config = rows.sums(N_MOVIES), SMALL_TASTE
    alone = fit_over_movies(rows, sums, config.min_ratings, config.autoencoder, 0)
    assert np.array_equal(fitted.trial.autoencoder.outputs, alone.outputs)
    assert not set(fitted.train_users.tolist()) & set(fitted.held_out_users.tolist())


@pytest.mark.parametrize("half_stars", [STARS, None])
def test_a_bundle_serves_what_was_fitted(
    fitted: FittedPreference, tmp_path: Path, half_stars: np.ndarray | None
) -> None:
    scorers = fitted.scorers
    scorers.save(tmp_path)
    loaded = PreferenceScorers.load(tmp_path, scorers.rows())
    before = scorers.signals(LIKED, half_stars, scorers.rows(), NoImputation())
    after = loaded.signals(LIKED, half_stars, scorers.rows(), NoImputation())
    for name, scores in before.items():
        assert np.allclose(scores, after[name], atol=1e-5), name


def test_movies_merely_seen_lead_to_their_kind(fitted: FittedPreference) -> None:
    rows = fitted.scorers.rows()
    for name, scores in fitted.scorers.signals(LIKED, None, rows, NoImputation()).items():
        others = np.setdiff1d(np.arange(N_MOVIES), LIKED)
        assert scores[others[others % 2 == 0]].mean() > scores[others[others % 2 == 1]].mean(), name


def test_low_ratings_lead_away_from_their_kind(fitted: FittedPreference) -> None:
    rows = fitted.scorers.rows()
    low = fitted.scorers.signals(LIKED, np.full(3, 1), rows, NoImputation())["preference"]
    others = np.setdiff1d(np.arange(N_MOVIES), LIKED)
    assert low[others[others % 2 == 1]].mean() > low[others[others % 2 == 0]].mean()


def test_a_compressed_network_gives_the_logits_of_the_wide_one() -> None:
    sums = ROWS.sums(N_MOVIES)
    whole = AutoencoderConfig(width=8, epochs=60, batch_size=16, dropout=0.1, seen_share=0.3)
    wide = fit_over_movies(ROWS, sums, 1, whole, 0)
    narrow = fit_over_movies(ROWS, sums, 1, whole.model_copy(update={"condensed": 4}), 0)
    assert narrow.outputs.shape[1] == 4
    liked = STARS >= 8
    expected = wide.logits(wide.code(LIKED, liked))
    logits = narrow.logits(narrow.code(LIKED, liked))
    assert np.corrcoef(expected, logits)[0, 1] > 0.98


def test_codes_of_whole_rows_are_those_that_serving_computes(fitted: FittedPreference) -> None:
    codes = encode(fitted.scorers.autoencoder, ROWS)
    movies, half_stars = ROWS.of_user(3)
    assert np.allclose(codes[3], fitted.scorers.code(movies, half_stars), atol=1e-5)


def test_logs_hold_where_scores_are_nothing() -> None:
    assert np.allclose(log_share(np.array([-1.0, 0.0, 0.99]), 0.01), np.log([0.01, 0.01, 1.0]))
    assert popularity_penalty(np.array([2.0], np.float32), 1).tolist() == [0.0]
    assert popularity_penalty(np.array([2.0], np.float32), 10) < 0


def test_a_movie_put_by_an_event_is_scored_by_its_kind() -> None:
    hybrid = fit_hybrid(DATA, HybridConfig(taste=SMALL_TASTE, new_movie_penalty=1.0), 0)
    movies = hybrid.movies()
    for movie_id, genre, tag in ((900, "Romance", "letters"), (901, "Action", "chase")):
        movie = Movie(movie_id=movie_id, title="New", year=2010, genres=(genre,), tags={tag: 0.9})
        movies.put(movie_id, movie.genres, movie.year, *hybrid.row(movie, (0, 0, 0)))
    history = hybrid.history(UserHistory.of([(11, 5.0), (13, 4.5)]), movies)
    signals = hybrid.signals(history, movies)
    romance, action = movies.index(900), movies.index(901)
    for name in ("preference", "als", "few_ratings"):
        assert signals[name][romance] > signals[name][action], name
