import { type ParseArgsConfig, parseArgs } from 'node:util';

type Options = NonNullable<ParseArgsConfig['options']>;

/**
 * The options that a bench was given. With `--help` it prints `help` and ends; with one that it does not have it says so, and ends
 * with code 2.
 */
export function benchOptions<const T extends Options>(help: string, options: T) {
  try {
    const { values, tokens } = parseArgs({ options: { ...options, help: { type: 'boolean' } } as T, tokens: true });
    if (!tokens.some((token) => token.kind === 'option' && token.name === 'help')) return values;
    process.stdout.write(help);
    process.exit(0);
  } catch (error) {
    process.stderr.write(`${(error as Error).message.split('. ')[0]}; --help lists the options\n`);
    process.exit(2);
  }
}
