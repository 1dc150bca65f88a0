"""Operations of the API: made by `make clients` from OpenAPI; do not edit."""

from marquee_client import answers
from marquee_client.operation import Operation

RECOMMEND_SESSION = Operation(
    name="recommend_session",
    method="POST",
    path="/v1/recommendations",
    answer=answers.Recommendations,
    takes_key=False,
    repeatable=True,
)

RECOMMEND_USER = Operation(
    name="recommend_user",
    method="GET",
    path="/v1/users/{user_id}/recommendations",
    answer=answers.Recommendations,
    takes_key=False,
    repeatable=True,
)

RECOMMEND_BATCH = Operation(
    name="recommend_batch",
    method="POST",
    path="/v1/recommendations/batch",
    answer=answers.Batch,
    takes_key=False,
    repeatable=True,
)

RECOMMEND_TOGETHER = Operation(
    name="recommend_together",
    method="POST",
    path="/v1/recommendations/together",
    answer=answers.Together,
    takes_key=False,
    repeatable=True,
)

LIST_SHELVES = Operation(
    name="list_shelves",
    method="GET",
    path="/v1/users/{user_id}/shelves",
    answer=answers.Shelves,
    takes_key=False,
    repeatable=True,
)

FOLLOW_USER = Operation(
    name="follow_user",
    method="GET",
    path="/v1/users/{user_id}/recommendations/changes",
    answer=answers.Recommendations,
    takes_key=False,
    repeatable=True,
)

GET_USER = Operation(
    name="get_user",
    method="GET",
    path="/v1/users/{user_id}",
    answer=answers.User,
    takes_key=False,
    repeatable=True,
)

ERASE_USER = Operation(
    name="erase_user",
    method="DELETE",
    path="/v1/users/{user_id}",
    answer=answers.Erased,
    takes_key=True,
    repeatable=True,
)

LIST_RATINGS = Operation(
    name="list_ratings",
    method="GET",
    path="/v1/users/{user_id}/ratings",
    answer=answers.Ratings,
    takes_key=False,
    repeatable=True,
)

PUT_RATING = Operation(
    name="put_rating",
    method="PUT",
    path="/v1/users/{user_id}/ratings/{movie_id}",
    answer=answers.Receipt,
    takes_key=True,
    repeatable=True,
)

DELETE_RATING = Operation(
    name="delete_rating",
    method="DELETE",
    path="/v1/users/{user_id}/ratings/{movie_id}",
    answer=answers.Receipt,
    takes_key=True,
    repeatable=True,
)

ADD_VIEW = Operation(
    name="add_view",
    method="POST",
    path="/v1/users/{user_id}/views",
    answer=answers.Receipt,
    takes_key=True,
    repeatable=True,
)

PUT_DISMISSED = Operation(
    name="put_dismissed",
    method="PUT",
    path="/v1/users/{user_id}/dismissed/{movie_id}",
    answer=answers.Receipt,
    takes_key=True,
    repeatable=True,
)

DELETE_DISMISSED = Operation(
    name="delete_dismissed",
    method="DELETE",
    path="/v1/users/{user_id}/dismissed/{movie_id}",
    answer=answers.Receipt,
    takes_key=True,
    repeatable=True,
)

LIST_WATCHLIST = Operation(
    name="list_watchlist",
    method="GET",
    path="/v1/users/{user_id}/watchlist",
    answer=answers.Watchlist,
    takes_key=False,
    repeatable=True,
)

PUT_WATCHLIST = Operation(
    name="put_watchlist",
    method="PUT",
    path="/v1/users/{user_id}/watchlist/{movie_id}",
    answer=answers.Receipt,
    takes_key=True,
    repeatable=True,
)

DELETE_WATCHLIST = Operation(
    name="delete_watchlist",
    method="DELETE",
    path="/v1/users/{user_id}/watchlist/{movie_id}",
    answer=answers.Receipt,
    takes_key=True,
    repeatable=True,
)

EXPORT_USER = Operation(
    name="export_user",
    method="GET",
    path="/v1/users/{user_id}/export",
    answer=answers.Export,
    takes_key=False,
    repeatable=True,
)

PREDICT = Operation(
    name="predict",
    method="POST",
    path="/v1/predictions",
    answer=answers.Predictions,
    takes_key=False,
    repeatable=True,
)

LIST_MOVIES = Operation(
    name="list_movies",
    method="GET",
    path="/v1/movies",
    answer=answers.Movies,
    takes_key=False,
    repeatable=True,
)

ADD_MOVIE = Operation(
    name="add_movie",
    method="POST",
    path="/v1/movies",
    answer=answers.AddedMovie,
    takes_key=True,
    repeatable=True,
)

GET_MOVIE = Operation(
    name="get_movie",
    method="GET",
    path="/v1/movies/{movie_id}",
    answer=answers.Movie,
    takes_key=False,
    repeatable=True,
)

UPDATE_MOVIE = Operation(
    name="update_movie",
    method="PATCH",
    path="/v1/movies/{movie_id}",
    answer=answers.Receipt,
    takes_key=True,
    repeatable=True,
)

REMOVE_MOVIE = Operation(
    name="remove_movie",
    method="DELETE",
    path="/v1/movies/{movie_id}",
    answer=answers.Receipt,
    takes_key=True,
    repeatable=True,
)

LIST_SIMILAR_MOVIES = Operation(
    name="list_similar_movies",
    method="GET",
    path="/v1/movies/{movie_id}/similar",
    answer=answers.Similar,
    takes_key=False,
    repeatable=True,
)

LIST_GENRES = Operation(
    name="list_genres",
    method="GET",
    path="/v1/genres",
    answer=answers.Genres,
    takes_key=False,
    repeatable=True,
)

LIST_SEGMENTS = Operation(
    name="list_segments",
    method="GET",
    path="/v1/segments/{kind}",
    answer=answers.Segments,
    takes_key=False,
    repeatable=True,
)

RECOMMEND_SEGMENT = Operation(
    name="recommend_segment",
    method="GET",
    path="/v1/segments/{kind}/{segment_id}/recommendations",
    answer=answers.SegmentList,
    takes_key=False,
    repeatable=True,
)

PUBLISH_EVENTS = Operation(
    name="publish_events",
    method="POST",
    path="/v1/events",
    answer=answers.Events,
    takes_key=True,
    repeatable=True,
)

ISSUE_TOKEN = Operation(
    name="issue_token",
    method="POST",
    path="/v1/users/{user_id}/tokens",
    answer=answers.Token,
    takes_key=False,
    repeatable=False,
)
