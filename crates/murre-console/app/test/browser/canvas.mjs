// What is drawn on a canvas.

/** All of its pixels, as text. */
export const pixels = (canvas) => canvas.evaluate((element) => element.toDataURL());

/** Whether anything is drawn in the line's colour. */
export const hasLine = (canvas) => canvas.evaluate(isLineIn);

/** Done when a line is drawn. */
export async function lineIn(canvas) {
  await canvas.page().waitForFunction(isLineIn, await canvas.elementHandle());
}

/** In the page. */
function isLineIn(canvas) {
  const accent = getComputedStyle(document.documentElement).getPropertyValue("--accent").trim();
  const [red, green, blue] = [1, 3, 5].map((at) => Number.parseInt(accent.slice(at, at + 2), 16));
  // A copy: Chromium warns of a canvas that is drawn on and read again and again.
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
  for (let at = 0; at < data.length; at += 4) {
    if (data[at] === red && data[at + 1] === green && data[at + 2] === blue && data[at + 3] === 255) return true;
  }
  return false;
}
