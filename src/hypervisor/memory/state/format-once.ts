/**
 * A formatter that makes the XML of each definition once: every call that changes something asks for that of all
 * objects, and definitions never change.
 */
export function formatOnce<Definition extends object>(
  format: (definition: Definition) => string,
): (definition: Definition) => string {
  const made = new WeakMap<Definition, string>();
  return (definition) => {
    const xml = made.get(definition) ?? format(definition);
    made.set(definition, xml);
    return xml;
  };
}
