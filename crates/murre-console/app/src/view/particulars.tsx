// What is particular to one subscription.

import type { ViewOptions } from "../model/admin.js";
import { viewInWords } from "../model/clients.js";
import { formatCount } from "../model/units.js";

interface Props {
  group: string | undefined;
  ack: boolean;
  view: ViewOptions | undefined;
  /** Messages that it didn't get as it was slow. */
  dropped: number;
}

/** Its group, acknowledgements, its view, what it lost: a mark for each. */
export function Particulars({ group, ack, view, dropped }: Props) {
  return (
    <>
      {group && <span class="mark">shared: {group}</span>}
      {ack && <span class="mark">acknowledged</span>}
      {view &&
        viewInWords(view).map((words) => (
          <span key={words} class="mark view">
            {words}
          </span>
        ))}
      {dropped > 0 && <span class="mark slow">{formatCount(dropped)} dropped</span>}
    </>
  );
}
