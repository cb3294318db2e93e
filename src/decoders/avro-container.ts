/**
 * The decoder of Avro object container files: every datum becomes an event whose body is the unchanged bytes of the
 * datum.
 *
 *   file:   "Obj" 1 | metadata: map of bytes | sync marker, 16 bytes | block …
 *   block:  count of data, long | size in bytes, long | data, compressed by the codec of the file | sync marker
 *
 * The decoder takes the file block by block. A block inside one chunk is decoded in place; others are buffered first.
 * The size that a block states is checked before anything is buffered, and the buffer grows only with bytes received.
 * Messages count blocks and data from 1.
 *
 * Slices are parts of the decompressed block; if the codec is null, that is the chunk itself.
 */
import { createHash } from 'node:crypto'
import type { EventHeaders, EventSlices } from '../../storage/log.ts'
import { AvroProblem } from '../schemas/avro-problem.ts'
import { parseSchema } from '../schemas/avro-schema.ts'
import { ServiceError } from '../service-error.ts'
import { type BlockCodec, blockCodec, isStored } from './avro-codecs.ts'
import { LongReader } from './avro-long.ts'
import { schemaText } from './avro-schema-text.ts'
import { compileSkip, type DatumSkipper } from './avro-skip.ts'
import type { BatchDecoder, DecoderOptions } from './decoder.ts'

export function avroContainer(options: DecoderOptions): BatchDecoder {
  return new AvroContainerDecoder(options)
}

const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB

/** Limit of the schema text in the file. The schema becomes a header of every event. */
export const SCHEMA_BYTES_MAX = 1 * MIB
/** Everything before the first block is held in memory: the schema and the other metadata of the writer. */
export const FILE_HEADER_BYTES_MAX = 4 * MIB
/**
 * One decompressed block is held in memory. The limit is twice `eventBytesMax` if that is more. Writers make blocks of
 * 16 KiB to some MiB.
 */
export const BLOCK_BYTES_MAX = 64 * MIB
/** Data without bytes (null, a record without fields) cost the sender nothing, so their number in a file is limited. */
export const EMPTY_DATA_PER_FILE_MAX = 1_000_000
/** One array of offsets, 16 KiB, is used for every emit. */
const SLICES_PER_EMIT = 4096
/**
 * Limits of one call of `decode` or `decodeMore`, however large the block is. The events stay in memory until they are
 * written, and the event loop serves no other request while they are cut, which takes tens of milliseconds.
 */
const TURN_BYTES = 4 * MIB
const TURN_EVENTS = 64 * SLICES_PER_EMIT
const GATHERED_BYTES_MIN = 64 * KIB

const MAGIC = Buffer.from('Obj\x01', 'latin1')
const SYNC_BYTES = 16
const FAILED = 'Failed to process uploaded avro file: '
const NOT_A_DATA_FILE = 'Not a data file.'
const NOTHING = Buffer.alloc(0)

type Emit = (slices: EventSlices) => void

/** The contents of the file header, parsed. */
interface AvroFile {
  readonly codec: BlockCodec
  readonly skip: DatumSkipper
  /** Whether every datum of the schema takes 0 bytes. */
  readonly empty: boolean
  readonly sync: Buffer
}

/** A block that is being cut into events. */
interface OpenBlock {
  /** Decompressed. */
  readonly bytes: Buffer
  readonly count: number
  /** Where the next datum begins, and the number of data before it. */
  at: number
  done: number
}

class AvroContainerDecoder implements BatchDecoder {
  headers: EventHeaders = []
  readonly #eventBytesMax: number
  readonly #free: DecoderOptions['free']
  readonly #blockBytesMax: number
  readonly #storedBytesMax: number
  readonly #longs = new LongReader()
  readonly #header = new FileHeaderScan()
  #file: AvroFile | undefined
  #blocks = 0
  #block = { count: 0, dataLength: 0, headerLength: 0 }
  #emptyData = 0
  readonly #gathered = new Gathered()
  readonly #offsets = new Uint32Array(SLICES_PER_EMIT + 1)
  #chunk: Buffer = NOTHING
  /** Where in the chunk the next item (file header or block) begins. */
  #at = 0
  #open: OpenBlock | undefined

  constructor({ eventBytesMax, free }: DecoderOptions) {
    this.#eventBytesMax = eventBytesMax
    this.#free = free
    this.#blockBytesMax = Math.min(Math.max(BLOCK_BYTES_MAX, 2 * eventBytesMax), GIB)
    // Codecs make incompressible data a little longer; snappy states the most: a sixth and 32 bytes.
    this.#storedBytesMax = this.#blockBytesMax + Math.ceil(this.#blockBytesMax / 6) + KIB
  }

  /** True until the header is read, because the codec is not known before. */
  get expands(): boolean {
    return this.#file === undefined || !isStored(this.#file.codec)
  }

  decode(chunk: Uint8Array, emit: Emit): boolean {
    this.#chunk = asBuffer(chunk)
    this.#at = 0
    return this.decodeMore(emit)
  }

  decodeMore(emit: Emit): boolean {
    const turn = { bytes: TURN_BYTES, events: TURN_EVENTS }
    do {
      if (this.#open !== undefined && !this.#cut(this.#open, turn, emit)) return true
    } while (this.#takeItem())
    this.#chunk = NOTHING
    return false
  }

  end(_emit: Emit): void {
    if (this.#file !== undefined) {
      if (this.#gathered.length > 0)
        throw refusal(new AvroProblem('the file ends inside it'), this.#blockPlace())
    } else if (this.#gathered.length < MAGIC.length) {
      throw refusal(new AvroProblem(NOT_A_DATA_FILE), '')
    } else {
      throw refusal(new AvroProblem('the file ends inside its header'), '')
    }
  }

  /** Takes the next complete header or block. Returns false if there is none; the part that has arrived is then buffered. */
  #takeItem(): boolean {
    const chunk = this.#chunk
    const at = this.#at
    if (this.#gathered.length > 0) return this.#takeGathered(chunk)
    if (at === chunk.length) return false
    const length = this.#itemLength(chunk, at, chunk.length)
    if (length > chunk.length - at) {
      this.#gathered.add(chunk, at, chunk.length)
      this.#at = chunk.length
      return false
    }
    this.#item(chunk, at, at + length)
    this.#at += length
    return true
  }

  /** Adds bytes to the buffered part of an item until the item is complete. */
  #takeGathered(chunk: Buffer): boolean {
    const gathered = this.#gathered
    for (;;) {
      const length = this.#itemLength(gathered.bytes, 0, gathered.length)
      if (length <= gathered.length) {
        this.#item(gathered.bytes, 0, length)
        gathered.length = 0 // the bytes stay until the next item is buffered; the block is cut before that
        return true
      }
      if (this.#at === chunk.length) return false
      const taken = Math.min(length - gathered.length, chunk.length - this.#at)
      gathered.add(chunk, this.#at, this.#at + taken)
      this.#at += taken
    }
  }

  /**
   * Returns the length of the file header or block that begins at `start`, as far as the bytes up to `end` show it. A
   * result above `end - start` is the number of bytes needed to continue: the whole item, or enough to compute a better
   * value.
   */
  #itemLength(bytes: Buffer, start: number, end: number): number {
    if (this.#file === undefined) {
      try {
        return this.#header.length(bytes, start, end)
      } catch (problem) {
        throw refusal(problem, '')
      }
    }
    try {
      return this.#blockLength(this.#file, bytes, start, end)
    } catch (problem) {
      throw refusal(problem, this.#blockPlace())
    }
  }

  #item(bytes: Buffer, start: number, end: number): void {
    if (this.#file !== undefined) {
      this.#openBlock(this.#file, bytes, start, end)
      return
    }
    try {
      this.#openFile(bytes, start, end)
    } catch (problem) {
      throw refusal(problem, '')
    }
  }

  #openFile(bytes: Buffer, start: number, end: number): void {
    const { schema, codec } = this.#header.metadata(bytes, start)
    if (schema === undefined) throw new AvroProblem('the file header has no avro.schema')
    if (schema.length > SCHEMA_BYTES_MAX) {
      throw new AvroProblem(`the schema takes ${schema.length} bytes; the most is ${SCHEMA_BYTES_MAX}`)
    }
    const type = parseSchema(utf8(schema))
    const text = schemaText(type)
    this.#file = {
      codec: blockCodec(codec === undefined ? 'null' : codec.toString('latin1')),
      skip: compileSkip(type),
      empty: type.constantBytes === 0,
      sync: Buffer.from(bytes.subarray(end - SYNC_BYTES, end)),
    }
    this.headers = [
      ['schema', text],
      ['schema.hash', createHash('md5').update(text, 'utf8').digest('hex')],
    ]
  }

  #blockLength(file: AvroFile, bytes: Buffer, start: number, end: number): number {
    const count = this.#longs.read(bytes, start, end)
    const dataLength = count === undefined ? undefined : this.#longs.read(bytes, this.#longs.next, end)
    if (count === undefined || dataLength === undefined) return end - start + 1
    this.#checkClaims(file, count, dataLength)
    this.#block = { count, dataLength, headerLength: this.#longs.next - start }
    return this.#block.headerLength + dataLength + SYNC_BYTES
  }

  #checkClaims(file: AvroFile, count: number, size: number): void {
    const stored = isStored(file.codec)
    if (count < 0) throw new AvroProblem(`its object count is negative: ${count}`)
    if (size < 0) throw new AvroProblem(`its size is negative: ${size}`)
    if (file.empty && count > EMPTY_DATA_PER_FILE_MAX - this.#emptyData) {
      throw new AvroProblem(
        `it claims ${count} objects without bytes; a file may hold ${EMPTY_DATA_PER_FILE_MAX} of them`,
      )
    }
    // The only object is as long as the block, so smaller blocks would not help; the error is the size of the event.
    if (stored && count === 1 && size > this.#eventBytesMax) throw this.#tooLarge(1, size)
    const sizeMax = stored ? this.#blockBytesMax : this.#storedBytesMax
    if (size > sizeMax) {
      throw new AvroProblem(`it claims a size of ${size} bytes; the most is ${sizeMax}; write smaller blocks`)
    }
    if (!file.empty && count > (stored ? size : this.#blockBytesMax)) throw tooManyObjects(count)
  }

  #openBlock(file: AvroFile, bytes: Buffer, start: number, end: number): void {
    const { count, headerLength, dataLength } = this.#block
    const dataStart = start + headerLength
    const dataEnd = dataStart + dataLength
    try {
      if (file.sync.compare(bytes, dataEnd, end) !== 0) {
        throw new AvroProblem('the sync marker after it is not the one of the file')
      }
      const data = file.codec(bytes.subarray(dataStart, dataEnd), this.#blockBytesMax)
      if (!file.empty && count > data.length) throw tooManyObjects(count)
      if (file.empty) this.#emptyData += count
      this.#open = { bytes: data, count, at: 0, done: 0 }
    } catch (problem) {
      throw refusal(problem, this.#blockPlace())
    }
  }

  /** Cuts a block into events. Returns false if a limit of the turn is reached before the end of the block. */
  #cut(block: OpenBlock, turn: { bytes: number; events: number }, emit: Emit): boolean {
    const { bytes, count } = block
    const { skip, codec } = this.#file!
    const offsets = this.#offsets
    try {
      while (block.done < count) {
        if (turn.bytes <= 0 || turn.events <= 0) return false
        const begin = block.at
        const most = Math.min(count - block.done, SLICES_PER_EMIT)
        let events = 0
        let at = begin
        offsets[0] = begin
        while (events < most && at - begin < TURN_BYTES) {
          const end = skip(bytes, at, bytes.length)
          if (end - at > this.#eventBytesMax) throw this.#tooLarge(block.done + 1, end - at)
          events += 1
          offsets[events] = end
          at = end
          block.done += 1
        }
        block.at = at
        turn.bytes -= at - begin
        turn.events -= events
        // Data follow one another without a gap, so one array has both offsets: an event starts where the one before
        // ended.
        emit({
          bytes,
          starts: offsets.subarray(0, events),
          ends: offsets.subarray(1, events + 1),
          count: events,
        })
      }
    } catch (problem) {
      this.#closeBlock(bytes, codec)
      throw refusal(problem, `${this.#blockPlace()}, datum ${block.done + 1}`)
    }
    const left = bytes.length - block.at
    this.#closeBlock(bytes, codec)
    if (left > 0) {
      throw refusal(
        new AvroProblem(`${left} bytes are left over after its ${count} objects`),
        this.#blockPlace(),
      )
    }
    this.#blocks += 1
    return true
  }

  #closeBlock(bytes: Buffer, codec: BlockCodec): void {
    this.#open = undefined
    if (!isStored(codec)) this.#free?.(bytes)
  }

  #tooLarge(datum: number, length: number): ServiceError {
    const problem = `it takes ${length} bytes; an event may take ${this.#eventBytesMax}`
    return new ServiceError('event_too_large', `${FAILED}${this.#blockPlace()}, datum ${datum}: ${problem}`)
  }

  #blockPlace(): string {
    return `block ${this.#blocks + 1}`
  }
}

/** Returns the error to throw for an error at `place`: an AvroProblem becomes a ServiceError, other errors stay. */
function refusal(problem: unknown, place: string): unknown {
  if (!(problem instanceof AvroProblem)) return problem
  const reason = place === '' ? problem.message : `${place}: ${problem.message}`
  return new ServiceError('malformed_batch', FAILED + reason, { cause: problem })
}

function tooManyObjects(count: number): AvroProblem {
  return new AvroProblem(`it claims ${count} objects, more than it has bytes for`)
}

/** Finds the end of the file header. Each call continues where the last one stopped for lack of bytes. */
class FileHeaderScan {
  // All offsets count from the start of the file.
  #at = MAGIC.length
  #entriesLeft = 0
  #wholeLength: number | undefined
  readonly #longs = new LongReader()
  readonly #values = new Map<string, { start: number; end: number }>()

  length(bytes: Buffer, start: number, end: number): number {
    const have = end - start
    const magic = Math.min(have, MAGIC.length)
    if (MAGIC.compare(bytes, start, start + magic, 0, magic) !== 0) throw new AvroProblem(NOT_A_DATA_FILE)
    if (have < MAGIC.length) return MAGIC.length
    while (this.#wholeLength === undefined) {
      if (this.#at > FILE_HEADER_BYTES_MAX) {
        throw new AvroProblem(`the file header takes more than ${FILE_HEADER_BYTES_MAX} bytes`)
      }
      const wanted =
        this.#entriesLeft > 0 ? this.#entry(bytes, start, end) : this.#entryCount(bytes, start, end)
      if (wanted !== undefined) return wanted
    }
    return this.#wholeLength
  }

  metadata(bytes: Buffer, start: number): { schema: Buffer | undefined; codec: Buffer | undefined } {
    const value = (name: string) => {
      const range = this.#values.get(name)
      return range && bytes.subarray(start + range.start, start + range.end)
    }
    return { schema: value('avro.schema'), codec: value('avro.codec') }
  }

  /** Reads the count of a block of entries. Returns the length to wait for if the count is not complete. */
  #entryCount(bytes: Buffer, start: number, end: number): number | undefined {
    const count = this.#longs.read(bytes, start + this.#at, end)
    if (count === undefined) return end - start + 1
    // After a negative count the size of the block follows. It is not used: the entries are read one by one.
    if (count < 0 && this.#longs.read(bytes, this.#longs.next, end) === undefined) return end - start + 1
    this.#entriesLeft = Math.abs(count)
    if (this.#entriesLeft > FILE_HEADER_BYTES_MAX)
      throw new AvroProblem(`the file header claims ${count} entries`)
    this.#at = this.#longs.next - start
    if (count === 0) this.#wholeLength = this.#at + SYNC_BYTES
    return undefined
  }

  #entry(bytes: Buffer, start: number, end: number): number | undefined {
    const key = this.#text(bytes, start, start + this.#at, end)
    if (typeof key === 'number') return key
    const value = this.#text(bytes, start, key.end, end)
    if (typeof value === 'number') return value
    this.#values.set(bytes.toString('utf8', key.start, key.end), {
      start: value.start - start,
      end: value.end - start,
    })
    this.#at = value.end - start
    this.#entriesLeft -= 1
    return undefined
  }

  /** Returns where a length-prefixed text lies in `bytes`, or the length to wait for. */
  #text(bytes: Buffer, start: number, at: number, end: number): { start: number; end: number } | number {
    const length = this.#longs.read(bytes, at, end)
    if (length === undefined) return end - start + 1
    if (length < 0) throw new AvroProblem(`the file header has a text of negative length: ${length}`)
    const textStart = this.#longs.next
    const textEnd = textStart + length
    if (textEnd - start > FILE_HEADER_BYTES_MAX) {
      throw new AvroProblem(`the file header takes more than ${FILE_HEADER_BYTES_MAX} bytes`)
    }
    return textEnd > end ? textEnd - start : { start: textStart, end: textEnd }
  }
}

/** Buffer for an item that arrives in several chunks. It doubles when it grows: a byte is copied a constant number of times. */
class Gathered {
  length = 0
  bytes: Buffer = NOTHING

  add(bytes: Buffer, start: number, end: number): void {
    const length = this.length + end - start
    if (length > this.bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(2 * length, GATHERED_BYTES_MIN))
      this.bytes.copy(larger, 0, 0, this.length)
      this.bytes = larger
    }
    bytes.copy(this.bytes, this.length, start, end)
    this.length = length
  }
}

function utf8(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw new AvroProblem('the schema is not UTF-8', { cause })
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
