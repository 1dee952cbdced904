// Packets that go out as one WebSocket message.

/** The most bytes that pending packets are joined to. */
const FRAME_BYTES_MAX = 64 * 1024;

/** A WebSocket message in the making. */
export class Frame {
  /** The most bytes of one packet, by the broker's word. */
  readonly packetMax: number;
  readonly #bytesMax: number;
  readonly #packets: Uint8Array[] = [];
  #bytes = 0;

  constructor(bytesMax: number, packetMax: number) {
    this.#bytesMax = Math.min(bytesMax, FRAME_BYTES_MAX);
    this.packetMax = packetMax;
  }

  /** Whether a packet of `bytes` may be added; the first one always may. */
  fits(bytes: number): boolean {
    return this.#bytes === 0 || this.#bytes + bytes <= this.#bytesMax;
  }

  get isEmpty(): boolean {
    return this.#bytes === 0;
  }

  /** Adds a packet where it fits; whether it did. */
  offer(packet: Uint8Array): boolean {
    const fits = this.fits(packet.length);
    if (fits) this.add(packet);
    return fits;
  }

  add(packet: Uint8Array): void {
    this.#packets.push(packet);
    this.#bytes += packet.length;
  }

  /** The whole message. */
  bytes(): Uint8Array {
    const [first] = this.#packets;
    if (first && this.#packets.length === 1) return first;
    const bytes = new Uint8Array(this.#bytes);
    let at = 0;
    for (const packet of this.#packets) {
      bytes.set(packet, at);
      at += packet.length;
    }
    return bytes;
  }
}
