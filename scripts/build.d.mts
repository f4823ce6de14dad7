/** Bundles the program into dist/; answers the entries built. */
export function buildProgram(): Promise<string[]>
