// /jmx as Hadoop's servers answer it: figures by the names of the beans that HDFS keeps them in. Exporters and Hadoop's own scripts
// read them. An attribute that Quarry has no true value for is left out rather than shown as 0.
import { javaJson } from './java-json.ts'
import type { Json } from './java-json.ts'
import { nameMatches, parseNamePattern } from './object-name.ts'
import type { PageAnswer } from './pages.ts'

export interface Bean {
  readonly name: string
  /** The Java class, or the name of the metrics source, that HDFS gives. */
  readonly modelerType: string
  /** Asked only when the bean is. */
  read(): Attributes
}

export type Attributes = Readonly<Record<string, Json | undefined>>

/** `?qry=PATTERN` chooses beans, `?get=BEAN::ATTRIBUTE` one attribute; without either all are shown. */
export function jmxPage(beans: readonly Bean[], query: URLSearchParams): PageAnswer {
  return { status: 200, type: 'application/json; charset=utf8', body: `${javaJson(answer(beans, query))}\n` }
}

function answer(beans: readonly Bean[], query: URLSearchParams): Json {
  const get = query.get('get')
  if (get !== null) {
    const [name, attribute, ...rest] = get.split('::')
    if (name === undefined || attribute === undefined || rest.length > 0)
      return { result: 'ERROR', message: 'query format is not as expected.' }
    return shown(beans, name, (bean) => oneAttribute(bean, attribute))
  }
  return shown(beans, query.get('qry') ?? '*:*', head)
}

function shown(beans: readonly Bean[], wanted: string, show: (bean: Bean) => Json): Json {
  const pattern = parseNamePattern(wanted)
  // As HDFS, for a name that is none.
  if (pattern === undefined) return {}
  return { beans: beans.filter((bean) => nameMatches(pattern, bean.name)).map(show) }
}

function head(bean: Bean): Json {
  return { name: bean.name, modelerType: bean.modelerType, ...bean.read() }
}

function oneAttribute(bean: Bean, attribute: string): Json {
  const attributes = bean.read()
  const value = Object.hasOwn(attributes, attribute) ? attributes[attribute] : undefined
  const named = { name: bean.name, modelerType: bean.modelerType }
  if (value === undefined) return { ...named, result: 'ERROR', message: `No attribute with name ${attribute} was found.` }
  return { ...named, [attribute]: value }
}
