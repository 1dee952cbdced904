// What is shown, and how much of it there is.

import { useEffect, useState } from "preact/hooks";
import { formatNumber } from "../../../page/figures.js";
import type { Watch } from "../model/watch.js";
import { plainText, SearchField } from "./fields.js";
import { useTick } from "./hooks.js";

interface Props {
  watch: Watch;
  onFilter(filter: string): void;
  search: string;
  onSearch(search: string): void;
  isPaused: boolean;
  onPause(): void;
  onPublish(): void;
}

/** Filter, search, pause, figures. */
export function Toolbar(props: Props) {
  return (
    <section class="toolbar" aria-label="What is shown">
      <FilterForm watch={props.watch} onFilter={props.onFilter} />
      <SearchField id="search" placeholder="part of a topic" value={props.search} onSearch={props.onSearch} />
      <button type="button" aria-pressed={props.isPaused} onClick={props.onPause}>
        Pause
      </button>
      <button type="button" onClick={props.onPublish}>
        Publish
      </button>
      <Figures watch={props.watch} isPaused={props.isPaused} />
    </section>
  );
}

function FilterForm({ watch, onFilter }: Pick<Props, "watch" | "onFilter">) {
  const [filter, setFilter] = useState(watch.filter);
  useEffect(() => setFilter(watch.filter), [watch]);
  useTick();
  const submit = (event: Event) => {
    event.preventDefault();
    onFilter(filter.trim() || "#");
  };
  return (
    <form class="subscription" onSubmit={submit}>
      <label for="filter">Filter</label>
      <input
        id="filter"
        type="text"
        value={filter}
        aria-invalid={watch.problem !== ""}
        aria-describedby="filter-problem"
        onInput={(event) => setFilter(event.currentTarget.value)}
        {...plainText}
      />
      <button type="submit">Subscribe</button>
      <p id="filter-problem" class="problem" role="alert">
        {watch.problem}
      </p>
    </form>
  );
}

function Figures({ watch, isPaused }: Pick<Props, "watch" | "isPaused">) {
  const now = useTick(isPaused);
  const rate = watch.topics.total.perSecond(now) ?? 0;
  return (
    <dl class="figures">
      <div>
        <dt>Topics</dt>
        <dd id="topic-count">{formatNumber(watch.topics.size)}</dd>
      </div>
      <div>
        <dt>Messages/s</dt>
        <dd id="total-rate">{formatNumber(rate, rate < 9.95 ? 1 : 0)}</dd>
      </div>
    </dl>
  );
}
