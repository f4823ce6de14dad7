// Addresses of WebHDFS with their parameters, and the texts within these.
import { parseAcl } from '../../../namenode/service/webhdfs/acl-text.ts'
import { decodeValue, parseXAttrName, setFlags } from '../../../namenode/service/webhdfs/xattr-text.ts'
import { absolutePath, boolean, createParameters, integer, userOf } from '../../../proto/webhdfs/parameters.ts'
import { opOf, parseTarget } from '../../../proto/webhdfs/request.ts'
import type { Target } from '../fuzz.ts'
import { mutatedText } from '../mutate.ts'

const addresses = [
  '/webhdfs/v1/a%20b/%C3%BC+c?op=CREATE&user.name=ann&doas=bob&permission=1777&overwrite=true&blocksize=1048576&createflag=CREATE,OVERWRITE',
  'http://host:9870/webhdfs/v1//x//?OP=open&offset=0&length=9223372036854775807&noredirect=TRUE&destination=/a+b%2Bc',
  '/webhdfs/v1/d?op=SETACL&aclspec=user::rwx,default:group:staff:r-x,mask::---,other::--x',
  '/webhdfs/v1/d?op=SETXATTR&xattr.name=user.a&xattr.value=0x6162&flag=CREATE,REPLACE',
]

export function webhdfsTargets(): Target[] {
  return [
    {
      name: 'webhdfs addresses',
      draw: (random) => Buffer.from(mutatedText(addresses, random)),
      take: (input) => {
        const target = parseTarget(Buffer.from(input).toString('latin1'))
        if (target === undefined) return
        const { query } = target
        opOf(query)
        userOf(query)
        integer(query, 'offset', 0)
        boolean(query, 'noredirect', false)
        absolutePath(query, 'destination')
        createParameters(query)
        parseAcl(query.first('aclspec') ?? 'user::rwx', true)
        decodeValue(query.first('xattr.value'))
        parseXAttrName(query.first('xattr.name') ?? 'user.a')
        setFlags(query.first('flag'))
      },
    },
  ]
}
