/** Probe: bare node:http that takes the body of a POST and answers 200. No service in node:http could do less. */
import { serveBodies } from './serve-bodies.ts'

serveBodies((_body, answer) => answer())
