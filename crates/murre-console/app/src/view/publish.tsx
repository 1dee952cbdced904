// A form to publish.

import type { Client, Format } from "murre";
import { useEffect, useRef, useState } from "preact/hooks";
import { plainText } from "./fields.js";

interface Result {
  state: "waiting" | "refused" | "accepted";
  text: string;
}

interface Props {
  client: Client;
  topic: string;
  onClose(): void;
}

/** Topic, payload, format, whether it is kept; and what became of it. */
export function Publish({ client, topic, onClose }: Props) {
  const [result, setResult] = useState<Result>();
  const payload = useRef<HTMLTextAreaElement>(null);
  const name = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (name.current) name.current.value = topic;
    (topic ? payload : name).current?.focus();
  }, [topic]);

  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    setResult({ state: "waiting", text: "Publishing…" });
    publish(client, form).then(
      () => setResult({ state: "accepted", text: "Published" }),
      (problem: Error) => setResult({ state: "refused", text: problem.message }),
    );
  };
  return (
    <section class="publish" aria-label="Publish">
      <form onSubmit={submit}>
        <div class="field topic">
          <label for="publish-topic">Topic</label>
          <input
            ref={name}
            id="publish-topic"
            name="topic"
            type="text"
            required
            placeholder="site/a/setpoint"
            {...plainText}
          />
        </div>
        <div class="field">
          <label for="publish-format">Format</label>
          <select id="publish-format" name="format">
            <option value="auto">Auto</option>
            <option value="json">JSON</option>
            <option value="msgpack">MessagePack</option>
            <option value="text">Text</option>
          </select>
        </div>
        <label class="check">
          <input name="retain" type="checkbox" /> Retain
        </label>
        <div class="field payload">
          <label for="publish-payload">Payload</label>
          <textarea
            ref={payload}
            id="publish-payload"
            name="payload"
            rows={2}
            placeholder='{"celsius": 21.4}'
            spellcheck={false}
          />
        </div>
        <div class="actions">
          <button type="submit">Publish</button>
          <button type="button" onClick={onClose}>
            Close
          </button>
        </div>
        <output class="result" data-state={result?.state} for="publish-topic publish-payload">
          {result?.text}
        </output>
      </form>
    </section>
  );
}

async function publish(client: Client, form: FormData): Promise<void> {
  // Now or not at all: nobody wants a setpoint to go out when the broker comes back.
  if (client.state.name !== "connected") throw new Error("Not connected: nothing was published");
  const { value, format } = payloadOf(String(form.get("payload")), String(form.get("format")));
  await client.publish(String(form.get("topic")), value, { format, retain: form.has("retain") });
}

/** The payload and its format: JSON where it reads as JSON, else text. Throws where a form was asked for that it lacks. */
function payloadOf(text: string, format: string): { value: unknown; format: Format } {
  if (format === "text" || (format === "auto" && text === "")) return { value: text, format: "text" };
  try {
    return { value: JSON.parse(text), format: format === "msgpack" ? "msgpack" : "json" };
  } catch (problem) {
    if (format !== "auto") throw new Error(`Not JSON: ${(problem as Error).message}`);
    return { value: text, format: "text" };
  }
}
