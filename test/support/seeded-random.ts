/** Random numbers that a seed repeats: mulberry32. */
export interface SeededRandom {
  /** In [0, 1). */
  next(): number
  /** A whole number in [least, most]. */
  whole(least: number, most: number): number
  pick<T>(choices: readonly T[]): T
}

export function seededRandom(seed: number): SeededRandom {
  let state = seed >>> 0
  const random: SeededRandom = {
    next() {
      state = (state + 0x6d2b79f5) >>> 0
      let mixed = Math.imul(state ^ (state >>> 15), state | 1)
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
    },
    whole: (least, most) => least + Math.floor(random.next() * (most - least + 1)),
    pick: (choices) => choices[random.whole(0, choices.length - 1)]!,
  }
  return random
}
