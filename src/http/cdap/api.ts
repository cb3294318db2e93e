/** The API of CDAP streams, 2 to 6, and what it shares with every client: health, metrics, tokens, the welcome page. */
import type { Api } from '../api.ts'
import { cdapShapeOf } from './problem-shape.ts'
import { routes } from './routes.ts'

export const CDAP: Api = {
  name: 'cdap',
  owns: () => true,
  routes,
  problemShape: (accept) => cdapShapeOf(undefined, accept),
  noRoute(target, status) {
    const reason = status === 404 ? 'Not Found' : 'Method Not Allowed'
    return `Problem accessing: ${target}. Reason: ${reason}`
  },
}
