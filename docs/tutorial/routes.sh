#!/bin/sh
# Asks a running Marquee with the bundled films once for every route: sh docs/tutorial/routes.sh [address]
set -eu
marquee=${1:-http://127.0.0.1:8080}

show() { # prints the route, the evidence, and the films of an answer
  python3 -c 'import json, sys
answer = json.load(sys.stdin)
print("%-13s %s [%s]%s" % (answer["route"], answer["reason"], answer["model_version"],
                         " degraded" if answer["degraded"] else ""))
for film in answer["items"]:
    print("  %6s  %s (%s)" % (film["movie_id"], film["title"], film["year"]))'
}

# An answer is kept before it is shown: where curl fails, the script ends with its message.
get() { answer=$(curl -fsS "$marquee/v1/$1"); printf '%s\n' "$answer" | show; }
ask() { get "recommendations?$1"; }
session() {
  answer=$(curl -fsS -X POST "$marquee/v1/recommendations" -H 'content-type: application/json' -d "$1")
  printf '%s\n' "$answer" | show
}
rated() { # "movie:stars movie:stars …" as the ratings of a session
  python3 -c 'import json, sys
pairs = (pair.split(":") for pair in sys.argv[1].split())
print(json.dumps({"ratings": [{"movie_id": int(m), "rating": float(s)} for m, s in pairs]}))' "$1"
}

echo "# a genre: its five most popular films";            ask 'genre=Western'
echo "# three viewed films: similar ones";                ask 'viewed=1&viewed=3114&viewed=4886'
echo "# one rating: hybrid";                              session "$(rated '318:5')"
echo "# four ratings: hybrid";                            session "$(rated '318:5 296:4.5 593:4 2:2')"
echo "# five ratings, three positive: clusters of users"; session "$(rated '318:5 296:4.5 593:4 2:2 3:2.5')"
echo "# six ratings, two positive: hybrid";               session "$(rated '318:5 296:4.5 593:3 2:2 3:2.5 7:3')"
twenty='1:4 47:5 50:5 110:4 150:4 260:5 296:5 318:5 356:4 364:3 380:3 457:4 480:3 527:5 588:3 589:4 590:3 592:3 593:5 597:2'
echo "# twenty ratings: the networks";                    session "$(rated "$twenty")"
echo "# a viewer of whom nothing is known: popular"
get 'users/987654321/recommendations?k=5'
