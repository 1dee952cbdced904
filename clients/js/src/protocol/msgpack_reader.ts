// Reads MessagePack. A reader of its own and not the library's, which refuses maps with the key `__proto__`: a stranger
// who publishes a property of that name could end every subscriber's connection.

import { decodeTimestampExtension, EXT_TIMESTAMP, ExtData } from "@msgpack/msgpack";

/** How deep maps and arrays may be nested. Brokers nest packets 32 deep, and look into payloads down to 64. */
const DEPTH_MAX = 128;
/** Up to this many bytes a string is read without TextDecoder, whose calls cost more than short strings. */
const SHORT_STRING_BYTES = 64;

const OWN = { enumerable: true, configurable: true, writable: true };
const text = new TextDecoder("utf-8", { ignoreBOM: true });

/** The bytes are no MessagePack. */
export class MsgpackError extends Error {
  override readonly name = "MsgpackError";
}

/** Reads values one after the other. Byte strings are views of the input, maps plain objects, timestamps Dates. */
export class MsgpackReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Whether all bytes are read. */
  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** The next value. Throws MsgpackError. */
  value(depth = 0): unknown {
    const byte = this.#uint(1);
    if (byte < 0x80) return byte;
    if (byte < 0x90) return this.#map(byte & 0x0f, depth);
    if (byte < 0xa0) return this.#array(byte & 0x0f, depth);
    if (byte < 0xc0) return this.#string(byte & 0x1f);
    if (byte >= 0xe0) return byte - 0x100;
    return this.#tagged(byte, depth);
  }

  #tagged(byte: number, depth: number): unknown {
    switch (byte) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#take(this.#uint(1 << (byte - 0xc4)));
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return this.#extension(this.#uint(1 << (byte - 0xc7)));
      case 0xca:
        return this.#view.getFloat32(this.#skip(4));
      case 0xcb:
        return this.#view.getFloat64(this.#skip(8));
      case 0xcc:
      case 0xcd:
      case 0xce:
      case 0xcf:
        return this.#uint(1 << (byte - 0xcc));
      case 0xd0:
        return this.#view.getInt8(this.#skip(1));
      case 0xd1:
        return this.#view.getInt16(this.#skip(2));
      case 0xd2:
        return this.#view.getInt32(this.#skip(4));
      case 0xd3:
        return Number(this.#view.getBigInt64(this.#skip(8)));
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.#extension(1 << (byte - 0xd4));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#string(this.#uint(1 << (byte - 0xd9)));
      case 0xdc:
      case 0xdd:
        return this.#array(this.#uint(2 << (byte - 0xdc)), depth);
      case 0xde:
      case 0xdf:
        return this.#map(this.#uint(2 << (byte - 0xde)), depth);
      default:
        throw new MsgpackError(`0x${byte.toString(16)} is no type`);
    }
  }

  #uint(size: number): number {
    const at = this.#skip(size);
    if (size === 1) return this.#bytes[at] as number;
    if (size === 2) return this.#view.getUint16(at);
    if (size === 4) return this.#view.getUint32(at);
    return this.#view.getUint32(at) * 2 ** 32 + this.#view.getUint32(at + 4);
  }

  #skip(count: number): number {
    const at = this.#at;
    if (count > this.#bytes.length - at) throw new MsgpackError("it ends before the value does");
    this.#at = at + count;
    return at;
  }

  #take(count: number): Uint8Array {
    const at = this.#skip(count);
    return this.#bytes.subarray(at, at + count);
  }

  #string(size: number): string {
    const bytes = this.#take(size);
    if (size > SHORT_STRING_BYTES) return text.decode(bytes);
    let ascii = "";
    for (const byte of bytes) {
      if (byte >= 0x80) return text.decode(bytes);
      ascii += String.fromCharCode(byte);
    }
    return ascii;
  }

  #array(size: number, depth: number): unknown[] {
    this.#judge(size, depth);
    const array: unknown[] = [];
    for (let n = 0; n < size; n++) array.push(this.value(depth + 1));
    return array;
  }

  #map(size: number, depth: number): Record<string, unknown> {
    this.#judge(size, depth);
    const map: Record<string, unknown> = {};
    for (let n = 0; n < size; n++) {
      const key = this.value(depth + 1);
      if (typeof key !== "string" && typeof key !== "number") throw new MsgpackError("a key of a map is no string");
      const value = this.value(depth + 1);
      // An assignment would set the prototype.
      if (key === "__proto__") Object.defineProperty(map, key, { value, ...OWN });
      else map[key] = value;
    }
    return map;
  }

  #extension(size: number): unknown {
    const type = this.#view.getInt8(this.#skip(1));
    const data = this.#take(size);
    return type === EXT_TIMESTAMP ? decodeTimestampExtension(data) : new ExtData(type, data);
  }

  /** Refuses what is nested too deep, and a size that the rest of the bytes can't hold. */
  #judge(size: number, depth: number): void {
    if (depth >= DEPTH_MAX) throw new MsgpackError(`it is nested more than ${DEPTH_MAX} deep`);
    if (size > this.#bytes.length - this.#at) throw new MsgpackError("it ends before the value does");
  }
}
