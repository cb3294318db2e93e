/**
 * Limits how much a body may grow while it is decoded, so that a few kilobytes cannot fill the disk.
 *
 * Memory is bounded in any case, because a batch is stored while it is decoded; the disk is not. One layer of deflate, and
 * so of gzip, makes at most 1,032 bytes of one. Brotli and zstd make tens of thousands, and layers multiply. So a body may
 * grow as much as one layer of deflate allows: a log of one repeated line is accepted, a decompression bomb is not
 * (docs/decisions/0018-expansion.md).
 */
import { ServiceError } from '../../service-error.ts'

/** Bytes out for one byte sent: the 1,032 of deflate, and a margin for what a decoder buffers. */
export const EXPANSION_RATIO_MAX = 1_100
/** The ratio applies above this many bytes of output: one event of the default limit may compress to any size. */
export const EXPANSION_FREE_BYTES = 16 * 1024 * 1024

/** Counts one body. */
export class Expansion {
  /** Bytes that were sent and have been decoded. */
  sentBytes = 0
  /** The largest output of any layer so far: an upper bound of what the windows of decoders hold. */
  grownBytes = 0

  /** `grownBytes` is the output of one layer so far. Throws ServiceError 'expands_too_much'. */
  assert(grownBytes: number): void {
    if (grownBytes > this.grownBytes) this.grownBytes = grownBytes
    if (grownBytes <= EXPANSION_FREE_BYTES || grownBytes <= EXPANSION_RATIO_MAX * this.sentBytes) return
    throw new ServiceError(
      'expands_too_much',
      `the body decompresses to more than ${EXPANSION_RATIO_MAX} times its size; send it compressed once, ` +
        'or in several parts',
    )
  }
}
