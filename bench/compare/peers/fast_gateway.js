// fast-gateway: one token is known, everything goes to the vendor.
const gateway = require('fast-gateway')
const { PORT, VENDOR, TOKEN } = process.env
const admitted = (req, res, next) => {
  if (req.headers.authorization !== `Bearer ${TOKEN}`) { res.statusCode = 401; return res.end() }
  return next()
}
gateway({ middlewares: [admitted], routes: [{ prefix: '', prefixRewrite: '', target: VENDOR }] }).start(Number(PORT), '127.0.0.1')
