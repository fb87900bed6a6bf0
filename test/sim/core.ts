// What the simulator needs of the production core, so that a test may put something broken in its place.
import { type Effect, Speaker, type SpeakerEvent, type SpeakerOptions } from '../../src/speaker.js';

export type Core = Pick<
  Speaker,
  | 'step'
  | 'nextMs'
  | 'stopped'
  | 'ownerOf'
  | 'stateOf'
  | 'desired'
  | 'interfaces'
  | 'claims'
  | 'peers'
  | 'unheard'
  | 'isFree'
  | 'isConfirmed'
  | 'answerUntilMs'
>;

export type { Effect, SpeakerEvent, SpeakerOptions };

export type CoreFactory = (options: SpeakerOptions) => Core;

export const productionCore: CoreFactory = (options) => new Speaker(options);
