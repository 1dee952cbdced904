// A widget with its title, and while the dashboard is edited with what changes it.

import type { Client } from "murre";
import { KINDS, type Kind, NAME_MAX, SPANS, type Widget } from "../model/dashboard.js";
import { fieldName } from "../model/field.js";
import { SECONDS } from "./use_live.js";
import { WidgetBody } from "./widget.js";

interface Changes {
  widget: Widget;
  isFirst: boolean;
  isLast: boolean;
  onChange(widget: Widget): void;
  onRemove(): void;
  /** By so many places. */
  onMove(by: number): void;
}

interface Props extends Changes {
  client: Client;
  isEdited: boolean;
  onDrag(): void;
  onDrop(): void;
}

/** See the top of the file. */
export function WidgetCard({ client, isEdited, onDrag, onDrop, ...changes }: Props) {
  const { widget } = changes;
  const { topic, path, kind, seconds = SECONDS, wide } = widget;
  const span = SPANS.find(([each]) => each === seconds)?.[1];
  return (
    <li
      class={wide ? "widget wide" : "widget"}
      data-kind={kind}
      draggable={isEdited}
      onDragStart={onDrag}
      onDragOver={(event) => {
        if (isEdited) event.preventDefault();
      }}
      onDrop={(event) => {
        event.preventDefault();
        onDrop();
      }}
    >
      <div class="widget-head">
        <h2 title={`${topic} ${path}`}>{widget.title || fieldName(topic, path).name}</h2>
        <p class="quiet topic">{topic}</p>
        {kind === "plot" && <p class="quiet span">{span}</p>}
      </div>
      {isEdited && <WidgetChanges {...changes} />}
      <WidgetBody client={client} widget={widget} />
    </li>
  );
}

function WidgetChanges({ widget, isFirst, isLast, onChange, onRemove, onMove }: Changes) {
  const name = `${widget.topic} ${widget.path}`.trim();
  return (
    <div class="widget-changes">
      <input
        type="text"
        aria-label={`Title of ${name}`}
        placeholder={fieldName(widget.topic, widget.path).name}
        maxLength={NAME_MAX}
        value={widget.title ?? ""}
        onInput={(event) => onChange({ ...widget, title: event.currentTarget.value })}
      />
      <select
        aria-label={`How ${name} is shown`}
        value={widget.kind}
        onChange={(event) => onChange({ ...widget, kind: event.currentTarget.value as Kind })}
      >
        {KINDS.map((kind) => (
          <option key={kind} value={kind}>
            {kind}
          </option>
        ))}
      </select>
      {widget.kind === "plot" && (
        <select
          aria-label={`How far ${name} looks back`}
          value={String(widget.seconds ?? SECONDS)}
          onChange={(event) => onChange({ ...widget, seconds: Number(event.currentTarget.value) })}
        >
          {SPANS.map(([seconds, title]) => (
            <option key={seconds} value={String(seconds)}>
              {title}
            </option>
          ))}
        </select>
      )}
      <button
        type="button"
        aria-label={`Make ${name} wide`}
        aria-pressed={widget.wide === true}
        onClick={() => onChange({ ...widget, wide: !widget.wide })}
      >
        ↔
      </button>
      <button type="button" aria-label={`Move ${name} forward`} disabled={isFirst} onClick={() => onMove(-1)}>
        ←
      </button>
      <button type="button" aria-label={`Move ${name} back`} disabled={isLast} onClick={() => onMove(1)}>
        →
      </button>
      <button type="button" aria-label={`Remove ${name}`} onClick={onRemove}>
        ×
      </button>
    </div>
  );
}
