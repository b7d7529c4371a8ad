"""Seeded templates in full, one shape per medium (api.md 5.5)."""

from typing import Any

from iterable_pipelines.sandbox.objects import CREATOR, Campaign

MEDIUM = {"email": "Email", "push": "Push", "sms": "SMS", "inapp": "InApp", "embedded": "Embedded"}


def detail(campaign: Campaign) -> dict[str, Any]:
    """The template of a campaign as its medium's GET …/get shows it."""
    fields: dict[str, Any] = {
        "templateId": campaign.template_id,
        "name": campaign.template_name,
        "messageTypeId": campaign.message_type_id,
        "clientTemplateId": f"client-{campaign.template_id}",
        "locale": "",
        "isDefaultLocale": True,
    }
    times = {"createdAt": campaign.created * 1000, "updatedAt": campaign.created * 1000}
    own: dict[str, dict[str, Any]] = {
        "Email": {
            "subject": campaign.name,
            "preheaderText": "",
            "fromName": "Example",
            "fromEmail": "hello@example.com",
            "replyToEmail": "hello@example.com",
            "ccEmails": [],
            "bccEmails": [],
            "html": "<html><body>Hi {{firstName}}</body></html>",
            "plainText": "Hi {{firstName}}",
            "linkParams": [{"key": "utm_source", "value": "iterable"}],
            "dataFeedIds": [],
            "creatorUserId": CREATOR,
            "metadata": campaign.template_as_json(),
        },
        "Push": {
            "title": campaign.name,
            "message": "Hi {{firstName}}",
            "payload": {"a": "2"},
            "deeplink": {"ios": f"app://offer/{campaign.id}", "android": f"app://offer/{campaign.id}"},
            "sound": "",
            "badge": "",
            "buttons": [],
            "wake": False,
            "isSilentPush": False,
        }
        | times,
        "SMS": {"message": "Hi {{firstName}}, reply STOP", "imageUrl": "", "linkParams": []} | times,
        "InApp": {
            "html": "<html><body>Hi</body></html>",
            "payload": {},
            "inAppDisplaySettings": {
                "top": {"percentage": 0},
                "bottom": {"displayOption": "AutoExpand"},
                "shouldAnimate": True,
            },
            "inboxMetadata": {"title": campaign.name, "subtitle": "", "icon": ""},
            "campaignId": campaign.id,
        },
        "Embedded": {
            "title": campaign.name,
            "body": "Hi",
            "elements": {
                "buttons": [
                    {"id": "buy", "title": "Buy", "action": {"type": "openUrl", "data": "https://example.com"}}
                ],
                "text": [],
            },
            "payload": {},
            "campaignId": campaign.id,
        },
    }
    return fields | own[campaign.medium]
