// Files for the viewer.

/** Hands out a text as a file that is called after `title`. */
export function download(title: string, ending: string, mediaType: string, text: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: mediaType }));
  link.download = `${title.replace(/[^\p{L}\p{N}]+/gu, "-") || "murre"}.${ending}`;
  link.click();
  URL.revokeObjectURL(link.href);
}
