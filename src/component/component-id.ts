/** Component ids as they appear in YAML: `type` or `type/name`. */

export interface ComponentId {
  /** Normal form, blanks around the slash removed: what messages, metrics and the plan show. */
  id: string;
  type: string;
  /** Empty when the id is a type alone. */
  name: string;
}

const TYPE_PATTERN = /^[a-zA-Z][0-9a-zA-Z_]{0,62}$/;
const NAME_PATTERN = /^[^\p{Z}\p{C}\p{S}]+$/u;
const NAME_CHARACTERS_MAX = 1024;

/**
 * Splits an id at its first slash. Types and names follow the Collector's rules, and so do the messages,
 * because people search for them.
 *
 * @returns the id, or the reason why the text is none.
 */
export function parseComponentId(text: string): ComponentId | { error: string } {
  const slash = text.indexOf('/');
  const type = (slash < 0 ? text : text.slice(0, slash)).trim();
  const name = slash < 0 ? '' : text.slice(slash + 1).trim();
  if (slash < 0 && type === '') return { error: 'id must not be empty' };
  if (type === '') return { error: `in "${text}" id: the part before / should not be empty` };
  if (slash >= 0 && name === '') return { error: `in "${text}" id: the part after / should not be empty` };
  if (!TYPE_PATTERN.test(type)) return { error: `invalid character(s) in type "${type}"` };
  if (name.length > NAME_CHARACTERS_MAX) {
    return { error: `name of "${type}" is longer than ${NAME_CHARACTERS_MAX} characters` };
  }
  if (name !== '' && !NAME_PATTERN.test(name)) return { error: `invalid character(s) in name "${name}"` };
  return { id: name === '' ? type : `${type}/${name}`, type, name };
}
