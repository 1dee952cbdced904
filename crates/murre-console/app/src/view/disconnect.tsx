// Asks before a client is disconnected, and for the reason that it is told.

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { REASON_BYTES_MAX } from "../model/admin.js";
import { plainText } from "./fields.js";

interface Props {
  id: string;
  /** It is this page that would lose its connection. */
  isSelf: boolean;
  /** It is a stream over HTTP. */
  isStream: boolean;
  disconnect(reason: string): Promise<void>;
  onDone(): void;
  onCancel(): void;
}

/** A dialog in front of all else, until it is answered; Escape cancels. */
export function Disconnect({ id, isSelf, isStream, disconnect, onDone, onCancel }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState("");
  const [isBusy, setBusy] = useState(false);
  useLayoutEffect(() => dialog.current?.showModal(), []);
  const bytes = new TextEncoder().encode(reason).length;
  const isLong = bytes > REASON_BYTES_MAX;

  const submit = async (event: Event) => {
    event.preventDefault();
    if (isLong || isBusy) return;
    setBusy(true);
    try {
      await disconnect(reason.trim());
      onDone();
    } catch (failure) {
      setProblem((failure as Error).message);
      setBusy(false);
    }
  };
  return (
    <dialog ref={dialog} class="ask" aria-labelledby="ask-title" aria-describedby="ask-effect" onClose={onCancel}>
      <form onSubmit={submit}>
        <h2 id="ask-title">Disconnect {id}?</h2>
        <p id="ask-effect">
          {isSelf ? "This is the page that you are looking at. " : ""}
          The client is told the reason, and its connection ends.{" "}
          {isStream
            ? "A browser's EventSource comes back by itself."
            : "One that keeps to the protocol stays away until somebody starts it anew; its session, where it has one, is kept."}
        </p>
        <label class="field">
          Reason, which the client is told
          <input
            type="text"
            value={reason}
            placeholder="none"
            aria-invalid={isLong}
            aria-describedby="ask-problem"
            onInput={(event) => setReason(event.currentTarget.value)}
            {...plainText}
          />
        </label>
        <p id="ask-problem" class="problem" role="alert">
          {isLong ? `A reason has at most ${REASON_BYTES_MAX} bytes; this one has ${bytes}.` : problem}
        </p>
        <div class="actions">
          <button type="button" onClick={() => dialog.current?.close()}>
            Cancel
          </button>
          <button type="submit" class="danger" disabled={isLong || isBusy}>
            Disconnect
          </button>
        </div>
      </form>
    </dialog>
  );
}
