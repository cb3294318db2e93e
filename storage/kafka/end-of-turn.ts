/**
 * The end of the present iteration of the event loop: all input that is readable now has been processed. All who ask in one
 * iteration continue together.
 */
let turn: Promise<void> | undefined

export function endOfTurn(): Promise<void> {
  turn ??= new Promise((resolve) => {
    setImmediate(() => {
      turn = undefined
      resolve()
    })
  })
  return turn
}
