// What the usual recipe builds on Node.js, written for this comparison: a push is parsed, handed to IM and acknowledged.
// Nothing is stored, and the signature of a POST is not looked at.
//
// PORT, IM_URL, SDK_APP_ID, SECRET_KEY, and RELAY=0 to leave the call to IM out.
'use strict';

const axios = require('axios');
const express = require('express');
const http = require('http');
const { parseStringPromise } = require('xml2js');
const { Api } = require('tls-sig-api-v2');

const { PORT, IM_URL, SDK_APP_ID, SECRET_KEY, RELAY } = process.env;
const sigs = new Api(Number(SDK_APP_ID), SECRET_KEY);
const userSig = sigs.genUserSig('administrator', 86400);
// Connections are kept: without that the recipe is slower still.
const im = axios.create({ baseURL: IM_URL, httpAgent: new http.Agent({ keepAlive: true, maxSockets: 256 }) });

async function sendMessage(from, text) {
  const query = `sdkappid=${SDK_APP_ID}&identifier=administrator&usersig=${userSig}` +
    `&random=${Math.floor(Math.random() * 4294967295)}&contenttype=json`;
  await im.post(`/v4/openim/sendmsg?${query}`, {
    SyncOtherMachine: 2,
    From_Account: from,
    To_Account: 'user1',
    MsgRandom: Math.floor(Math.random() * 4294967295),
    MsgBody: [{ MsgType: 'TIMTextElem', MsgContent: { Text: text } }],
  });
}

const app = express();
app.use(express.text({ type: ['text/xml', 'application/xml'] }));
app.post('/wechat/shop', async (request, response) => {
  const { xml } = await parseStringPromise(request.body, { explicitArray: false });
  if (RELAY !== '0' && xml.MsgType === 'text') await sendMessage(xml.FromUserName, xml.Content);
  response.type('text/plain').send('success');
});
app.listen(Number(PORT), '127.0.0.1');
