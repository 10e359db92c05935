// @fastify/http-proxy: one token is known, everything goes to the vendor.
const { PORT, VENDOR, TOKEN } = process.env
const server = require('fastify')()
server.addHook('onRequest', async (request, reply) => {
  if (request.headers.authorization !== `Bearer ${TOKEN}`) { return reply.code(401).send() }
})
server.register(require('@fastify/http-proxy'), { upstream: VENDOR })
server.listen({ port: Number(PORT), host: '127.0.0.1' })
