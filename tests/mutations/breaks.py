"""What is broken on purpose, each with the test that has to notice."""

from dataclasses import dataclass

LOOP = "tests/simulation/test_simulated_loop.py::test_facts_and_dead_letters_are_those_of_the_log"
VERSIONS = (
    "tests/simulation/test_simulated_versions.py::test_rows_of_a_complete_version_are_its_own"
)
WORKER = "tests/integration/runtime/test_worker.py"
LOGS = "tests/integration/runtime/test_changed_logs.py"
ODD = "tests/integration/runtime/test_odd_events.py"
PROFILE = "tests/unit/gateway_/test_profile_machine.py"
SUMS = "tests/unit/runtime/test_sums_machine.py"
FILTER = "tests/unit/gateway_/test_filter_machine.py"
PAGES = "tests/unit/gateway_/test_list_pages.py"
SHELVES = "tests/unit/gateway_/test_shelves.py"
OVERLAY = "tests/unit/runtime/test_replica_machine.py"
SLICES = "tests/unit/evaluation/test_slices.py"

COMMON = "libs/common/marquee"
VERSIONING = "libs/common/marquee/consumer/model_versions.py"
COUNTED = "libs/common/marquee/consumer/handlers/popularity.py"
GATEWAY = "services/gateway/gateway"
PROTOCOLS = "services/trainer/trainer/evaluation/protocols"


@dataclass(frozen=True)
class Break:
    """One break: `old` stands once in `file` and becomes `new`; `test` (with `only`) must fail."""

    name: str
    file: str
    old: str
    new: str
    test: str
    only: str = ""


WRITE = "self._store.write(keys, start, end, unit_of_work.commands(start, end, version))"
BREAKS = (
    # --- the atomic step and its fence
    Break("the fence is dropped", f"{COMMON}/store/redis.py",
          "if (held or '') ~= ARGV[1] then return held or '' end", "",
          WORKER, "twin and redis"),
    Break("a step is not checked before it is written", f"{COMMON}/store/redis.py",
          "if type ~= 'none' and type ~= kind then", "if false then",
          WORKER, "another_type and redis"),
    Break("the position is written before the results", f"{COMMON}/consumer/batches.py",
          WRITE,
          "self._store.write(keys, start, end, [])\n"
          "        self._store.write(keys, end, end, unit_of_work.commands(start, end, version))",
          LOOP),
    Break("the position is not written", f"{COMMON}/consumer/batches.py",
          WRITE, WRITE.replace("start, end, unit", "start, None, unit"), LOOP),
    # --- the loop
    Break("no return to the stored position after trouble", f"{COMMON}/consumer/worker.py",
          "            self._unsure = True\n", "", LOOP),
    Break("no look whether the store went back", f"{COMMON}/consumer/worker.py",
          "            self._positions.compare(partition)\n", "            pass\n", LOOP),
    Break("an event is blamed for facts that a twin changed", f"{COMMON}/consumer/batches.py",
          "            self._positions.compare(partition)\n            return error",
          "            return error",
          "tests/simulation/test_simulated_loop.py", "once_failed"),
    Break("no window of event ids", f"{COMMON}/consumer/deduplication.py",
          "if scores[window, digest] is None:", "if True:", LOOP),
    Break("a restore leaves the window of event ids empty", f"{COMMON}/consumer/restoration.py",
          "        self._fill_window(partition, snapshot.position)\n", "",
          "tests/integration/runtime/test_restored_window.py", "late_repeat and redis"),
    Break("a batch that fails is not bisected", f"{COMMON}/consumer/batches.py",
          "if len(part) > 1:", "if False:", LOOP),
    Break("an unreadable message is passed over", f"{COMMON}/consumer/batches.py",
          "if decoded.fault is not None:", "if False:", LOOP),
    Break("the partition of an event is not checked", f"{COMMON}/consumer/decoding.py",
          "if right != partition.partition:", "if False:", ODD, "wrong_partition and redis"),
    Break("failing events never stop a partition", f"{COMMON}/consumer/batches.py",
          "if failures > MAX_FAILURES_IN_A_ROW:", "if False:", ODD, "more_than_ten and redis"),
    Break("a full Redis makes events dead letters", f"{COMMON}/store/redis.py",
          "        if is_refusal(error):", "        if False:", ODD, "full_redis"),
    # --- the log
    Break("the topic's id is not compared", f"{COMMON}/consumer/log_identity.py",
          "if stored_id is not None and stored_id != topic_id:", "if False:",
          LOGS, "nobody_read and redis"),
    Break("the topic is not looked at while it is read", f"{COMMON}/consumer/worker.py",
          "        self._log_identity.check_topics()\n", "", LOGS, "another_number and redis"),
    Break("the number of partitions is not compared", f"{COMMON}/consumer/log_identity.py",
          "if state.partitions != self._counts[topic]:", "if False:",
          LOGS, "another_number and redis"),
    Break("a lost position is reset to the start of the log", f"{COMMON}/bus/redis/subscription.py",
          "                    raise position_lost(partition, position, begin, end)",
          "                    self._assignment.positions[partition] = begin",
          LOGS, "dropped and redis"),
    Break("a first start tells the bus nothing", f"{COMMON}/consumer/worker.py",
          "        self._positions.commit_new(subscription)\n", "", LOGS, "first_start and redis"),
    # --- versions
    Break("what changed since the cut is not derived again at a swap", VERSIONING,
          "for start in range(0, len(changed), CHUNK):", "for start in ():", VERSIONS),
    Break("a version stays complete though an older one wrote", VERSIONING,
          'unit_of_work.write("DEL", unit_of_work.keys.complete)', "pass", VERSIONS),
    Break("a mark that was lost is not set again", VERSIONING,
          "        self._load_published()\n        if self._model is not None:\n",
          "        before = self._published\n        self._load_published()\n"
          "        if self._model is not None and self._published != before:\n", VERSIONS),
    # --- the apps' memory
    Break("a gap in the updates is not seen", f"{COMMON}/serving/update_stream.py",
          "if update.start > position or update.end < position:", "if False:", OVERLAY),
    Break("rows are not read again after a lost connection", f"{COMMON}/serving/update_stream.py",
          "        await self._load()\n", "        if not self._positions:\n"
          "            await self._load()\n", OVERLAY),
    Break("sums are not read at a start", f"{COMMON}/serving/replica_reader.py",
          "        sums.replace(keys.partition.partition, rows)\n", "", OVERLAY),
    Break("an app swaps before the version is complete", f"{COMMON}/serving/replica.py",
          "            if self._serving is None or await self._is_complete(published):\n"
          "                await self._serve(published)\n\n    async def",
          "            await self._serve(published)\n\n    async def",
          "tests/integration/models/test_model_versions.py"),
    # --- facts
    Break("a replaced rating still counts", COUNTED,
          "    _take_back(unit_of_work, ratings, movie_id)\n    ratings.rate", "    ratings.rate",
          SUMS),
    Break("the ratings of an erased user still count", COUNTED,
          "        _take_back(unit_of_work, ratings, movie_id)\n", "        pass\n", SUMS),
    Break("the ratings of a snapshot are not counted", COUNTED,
          "(piece.sums or {}).items()", "{}.items()", SUMS),
    Break("an erased user's key stays", f"{COMMON}/consumer/unit_of_work/changes.py",
          "if user_id in self._erased:", "if False:", PROFILE),
    Break("a rating that is replaced keeps its place", f"{COMMON}/domain/ratings.py",
          "before = self.rated.pop(movie_id, None)", "before = self.rated.get(movie_id)", PROFILE),
    Break("a dismissal cannot be taken back", f"{COMMON}/consumer/handlers/profiles.py",
          "lambda r: r.restore(event.data.movie_id)", "lambda r: None", PROFILE),
    # --- the filter stage
    Break("a promotion overrules a block", f"{GATEWAY}/recommend/filter_stage.py",
          "            if removal := self._removal(promotion.movie_id, user, list_request):",
          "            if removal := None:", FILTER),
    Break("dismissed movies are shown", f"{GATEWAY}/recommend/filter_stage.py",
          "if movie_id in facts.dismissed:", "if False:", FILTER),
    Break("a block never ends", f"{GATEWAY}/state/rules.py",
          "return block.until is None or now < block.until", "return True", FILTER),
    Break("a promotion speaks to every segment", f"{GATEWAY}/recommend/filter_stage.py",
          "if promotion.segments and not", "if False and not", FILTER),
    # --- the evaluation in the order of time
    Break("ratings of one second are shown by movie id", f"{COMMON}/features/time_order.py",
          "np.lexsort((drawn, dataset.times, dataset.user_ids))",
          "np.lexsort((dataset.movie_ids, dataset.times, dataset.user_ids))", SLICES),
    Break("ratings after a cut are trained", f"{PROTOCOLS}/splits.py",
          "return Split(name, dataset.of_rows(~later), dataset.of_rows(tested), cut, share)",
          "return Split(name, dataset, dataset.of_rows(tested), cut, share)", SLICES),
    Break("returning users pass for new ones", f"{PROTOCOLS}/cases.py",
          "        if (before > 0) != user_slice.of_returning:\n            return\n", "", SLICES),
    Break("first ratings are drawn at random", f"{PROTOCOLS}/cases.py",
          "if user_slice.protocol is Protocol.RANDOM:",
          "if user_slice.protocol is not Protocol.CUT:", SLICES),
    Break("one order of all users passes for their own", f"{COMMON}/features/time_order.py",
          "if sample.follow_ids() or sample.agree():", "if sample.follow_ids():",
          "tests/unit/evaluation/test_times.py"),
    Break("a rating that was taken back stays in its period", COUNTED,
          "sums.added(half, time, -1)", "sums.added(half, 0, -1)", SUMS),
    # --- pages, rows and watchlists
    Break("a page shows what the one before it showed", f"{GATEWAY}/recommend/filter_stage.py",
          "if movie_id in list_request.shown", "if False", PAGES),
    Break("a list ends before all films were shown", f"{GATEWAY}/recommend/filter_stage.py",
          "item.movie_id not in on_page", "item.movie_id in on_page", PAGES),
    Break("a film stands in two rows", f"{GATEWAY}/recommend/shelves.py",
          "taken = taken.union(", "taken = frozenset(", SHELVES),
    Break("a film cannot leave a watchlist", f"{COMMON}/consumer/handlers/profiles.py",
          "lambda r: r.unlist(event.data.movie_id)", "lambda r: None", PROFILE),
)  # fmt: skip
